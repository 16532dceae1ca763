// The functions every program may call without defining them.
#pragma once

#include "ir/builder.h"

#include <functional>
#include <optional>

namespace loom {

/// A call of a builtin, its arguments already lowered.
struct BuiltinCall {
  std::vector<Operation *> values;
  std::vector<Index> extents;
};

using Builtin = std::function<Operation *(Builder &, const BuiltinCall &)>;

struct BuiltinSignature {
  std::size_t valueCount;
  bool takesExtents;
  Builtin build;
};

/// The builtin of that name, or null: relu, exp, sqrt, max, transpose, reshape, sum, maximum.
const BuiltinSignature *findBuiltin(const std::string &name);

} // namespace loom
