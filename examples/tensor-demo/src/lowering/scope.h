// What the names of a function stand for.
#pragma once

#include "ir/operation.h"

#include <string>
#include <unordered_map>

namespace loom {

class Scope {
public:
  /// Binds a name; false when it is already bound.
  bool bind(const std::string &name, Operation *value);

  /// The value of a name, or null.
  Operation *find(const std::string &name) const;

private:
  std::unordered_map<std::string, Operation *> values_;
};

} // namespace loom
