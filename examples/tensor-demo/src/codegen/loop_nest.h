// Programs as loops over flat buffers: the last form before C.
#pragma once

#include "ir/opcode.h"
#include "ir/type.h"

#include <iosfwd>
#include <string>
#include <variant>
#include <vector>

namespace loom {

/// One element of a buffer: the loop counters, each times its stride, added up.
struct Access {
  std::string buffer;
  std::vector<Index> strides;

  friend bool operator==(const Access &a, const Access &b) { return a.buffer == b.buffer && a.strides == b.strides; }
};

struct Scalar;

/// An elementwise opcode applied to scalars.
struct Apply {
  Opcode opcode;
  std::vector<Scalar> operands;
};

/// What a statement computes: an element, a number, or an operation on scalars.
struct Scalar {
  std::variant<Access, double, Apply> node;
};

enum class Update { Set, Add, Maximum };

/// `target = value`, `target += value` or `target = max(target, value)` for every value of the loop counters.
struct LoopNest {
  std::vector<Index> extents;
  Access target;
  Update update = Update::Set;
  Scalar value;
};

struct Buffer {
  std::string name;
  TensorType type;
};

/// A function as loop nests in execution order.
struct LoopProgram {
  std::string name;
  std::vector<Buffer> parameters;
  std::vector<Buffer> temporaries;
  Buffer result;
  std::vector<LoopNest> nests;
};

/// Calls the function with every access of the scalar.
template <typename Function> void forEachAccess(const Scalar &scalar, const Function &function) {
  if (const auto *access = std::get_if<Access>(&scalar.node))
    function(*access);
  else if (const auto *apply = std::get_if<Apply>(&scalar.node))
    for (const Scalar &operand : apply->operands)
      forEachAccess(operand, function);
}

bool reads(const LoopNest &nest, const std::string &buffer);

} // namespace loom
