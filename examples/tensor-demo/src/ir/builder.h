// Creates operations at one place of a function.
#pragma once

#include "ir/function.h"

#include <stdexcept>

namespace loom {

/// The program asks for an operation that cannot exist; says where and why.
class BuildError : public std::runtime_error {
public:
  BuildError(Location location, const std::string &reason) : std::runtime_error(reason), location_(location) {}
  Location location() const { return location_; }

private:
  Location location_;
};

/// Every method appends one operation and returns it; ill-typed requests throw BuildError.
class Builder {
public:
  explicit Builder(Function &function, const Operation *before = nullptr) : function_(function), before_(before) {}

  /// Where the operations created from now on come from.
  void setLocation(Location location) { location_ = location; }

  Operation *parameter(const std::string &name, TensorType type);

  /// A tensor whose elements are all `value`.
  Operation *constant(TensorType type, double value);

  Operation *unary(Opcode opcode, Operation *operand);

  /// Operands of different shapes are broadcast to a common one first.
  Operation *binary(Opcode opcode, Operation *left, Operation *right);

  Operation *matmul(Operation *left, Operation *right);
  Operation *transpose(Operation *operand, std::vector<Index> permutation);
  Operation *reshape(Operation *operand, const Shape &shape);
  Operation *broadcast(Operation *operand, const Shape &shape);
  Operation *reduce(Opcode opcode, Operation *operand, Index axis);
  Operation *call(const Function &callee, std::vector<Operation *> operands);

  /// Copies an operation, with other operands.
  Operation *clone(const Operation &operation, std::vector<Operation *> operands);

private:
  Operation *infer(Opcode opcode, std::vector<Operation *> operands, Attributes attributes = {});
  Operation *insert(Opcode opcode, std::vector<Operation *> operands, Attributes attributes, TensorType type);

  Function &function_;
  const Operation *before_;
  Location location_;
};

} // namespace loom
