#include "ir/builder.h"

#include "ir/type_inference.h"

#include <utility>

namespace loom {

Operation *Builder::parameter(const std::string &name, TensorType type) {
  return insert(Opcode::Parameter, {}, {{"name", name}}, std::move(type));
}

Operation *Builder::constant(TensorType type, double value) {
  return insert(Opcode::Constant, {}, {{"value", value}}, std::move(type));
}

Operation *Builder::unary(Opcode opcode, Operation *operand) { return infer(opcode, {operand}); }

Operation *Builder::binary(Opcode opcode, Operation *left, Operation *right) {
  const Result<Shape> shape = broadcastShapes(left->type().shape, right->type().shape);
  if (!shape)
    throw BuildError(location_, shape.reason());
  return infer(opcode, {broadcast(left, *shape), broadcast(right, *shape)});
}

Operation *Builder::matmul(Operation *left, Operation *right) { return infer(Opcode::MatMul, {left, right}); }

Operation *Builder::transpose(Operation *operand, std::vector<Index> permutation) {
  return infer(Opcode::Transpose, {operand}, {{"permutation", std::move(permutation)}});
}

Operation *Builder::reshape(Operation *operand, const Shape &shape) {
  return infer(Opcode::Reshape, {operand}, {{"shape", shape.extents()}});
}

Operation *Builder::broadcast(Operation *operand, const Shape &shape) {
  if (operand->type().shape == shape)
    return operand;
  return insert(Opcode::Broadcast, {operand}, {}, {operand->type().element, shape});
}

Operation *Builder::reduce(Opcode opcode, Operation *operand, Index axis) {
  return infer(opcode, {operand}, {{"axis", axis}});
}

Operation *Builder::call(const Function &callee, std::vector<Operation *> operands) {
  const std::vector<Operation *> parameters = callee.parameters();
  if (parameters.size() != operands.size())
    throw BuildError(location_, callee.name() + " takes " + std::to_string(parameters.size()) + " arguments, not " +
                                    std::to_string(operands.size()));
  for (std::size_t index = 0; index < operands.size(); ++index)
    if (operands[index]->type() != parameters[index]->type())
      throw BuildError(location_, "argument " + std::to_string(index + 1) + " of " + callee.name() + " must be " +
                                      toString(parameters[index]->type()) + ", not " +
                                      toString(operands[index]->type()));
  return insert(Opcode::Call, std::move(operands), {{"callee", callee.name()}}, callee.resultType());
}

Operation *Builder::clone(const Operation &operation, std::vector<Operation *> operands) {
  location_ = operation.location();
  return insert(operation.opcode(), std::move(operands), operation.attributes(), operation.type());
}

Operation *Builder::infer(Opcode opcode, std::vector<Operation *> operands, Attributes attributes) {
  const Result<TensorType> type = inferType(opcode, operands, attributes);
  if (!type)
    throw BuildError(location_, type.reason());
  return insert(opcode, std::move(operands), std::move(attributes), *type);
}

Operation *Builder::insert(Opcode opcode, std::vector<Operation *> operands, Attributes attributes, TensorType type) {
  return function_.insert(
      std::make_unique<Operation>(opcode, std::move(operands), std::move(attributes), std::move(type), location_),
      before_);
}

} // namespace loom
