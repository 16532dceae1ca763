// Compile-time facts attached to an operation.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <map>
#include <string>
#include <variant>
#include <vector>

namespace loom {

using Attribute = std::variant<std::int64_t, double, std::string, std::vector<std::int64_t>>;

/// Ordered by name, so that printing and comparing are deterministic.
using Attributes = std::map<std::string, Attribute>;

std::ostream &operator<<(std::ostream &out, const Attributes &attributes);

} // namespace loom
