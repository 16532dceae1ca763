#include "ir/type_inference.h"

#include <algorithm>
#include <numeric>
#include <sstream>

namespace loom {
namespace {

template <typename... Parts> Failure fail(const Parts &...parts) {
  std::ostringstream text;
  (text << ... << parts);
  return Failure{text.str()};
}

template <typename T> const T *find(const Attributes &attributes, const std::string &name) {
  const auto found = attributes.find(name);
  return found == attributes.end() ? nullptr : std::get_if<T>(&found->second);
}

Result<TensorType> inferElementwise(Opcode opcode, const std::vector<Operation *> &operands) {
  const TensorType &first = operands.front()->type();
  for (const Operation *operand : operands)
    if (operand->type() != first)
      return fail(info(opcode).name, " needs operands of one type, not ", first, " and ", operand->type());
  if ((opcode == Opcode::Exp || opcode == Opcode::Sqrt) && !isFloat(first.element))
    return fail(info(opcode).name, " needs floating point, not ", first);
  return first;
}

Result<TensorType> inferMatMul(const TensorType &a, const TensorType &b) {
  if (a.element != b.element)
    return fail("matmul needs operands of one element type, not ", a, " and ", b);
  if (a.shape.rank() != 2 || b.shape.rank() != 2 || a.shape[1] != b.shape[0])
    return fail("matmul cannot multiply ", a, " by ", b);
  return TensorType{a.element, {a.shape[0], b.shape[1]}};
}

Result<TensorType> inferTranspose(const TensorType &type, const Attributes &attributes) {
  const auto *permutation = find<std::vector<Index>>(attributes, "permutation");
  if (!permutation || permutation->size() != type.shape.rank())
    return fail("transpose needs a permutation of the axes of ", type);
  std::vector<Index> expected(permutation->size());
  std::iota(expected.begin(), expected.end(), Index{0});
  if (!std::is_permutation(permutation->begin(), permutation->end(), expected.begin()))
    return fail("transpose needs each axis of ", type, " once");
  return TensorType{type.element, type.shape.permuted(*permutation)};
}

Result<TensorType> inferReshape(const TensorType &type, const Attributes &attributes) {
  const auto *extents = find<std::vector<Index>>(attributes, "shape");
  if (!extents)
    return fail("reshape needs a shape");
  const Shape shape(*extents);
  if (shape.elementCount() != type.shape.elementCount())
    return fail("reshape cannot turn ", type, " into ", toString(shape));
  return TensorType{type.element, shape};
}

Result<TensorType> inferReduce(Opcode opcode, const TensorType &type, const Attributes &attributes) {
  const auto *axis = find<Index>(attributes, "axis");
  if (!axis || *axis < 0 || static_cast<std::size_t>(*axis) >= type.shape.rank())
    return fail(info(opcode).name, " needs an axis of ", type);
  return TensorType{type.element, type.shape.without(static_cast<std::size_t>(*axis))};
}

} // namespace

Result<TensorType> inferType(Opcode opcode, const std::vector<Operation *> &operands, const Attributes &attributes) {
  const OpcodeInfo &facts = info(opcode);
  if (facts.operandCount != kVariadic && operands.size() != facts.operandCount)
    return fail(facts.name, " takes ", facts.operandCount, " operands, not ", operands.size());
  if (facts.isElementwise)
    return inferElementwise(opcode, operands);
  switch (opcode) {
  case Opcode::MatMul:
    return inferMatMul(operands[0]->type(), operands[1]->type());
  case Opcode::Transpose:
    return inferTranspose(operands[0]->type(), attributes);
  case Opcode::Reshape:
    return inferReshape(operands[0]->type(), attributes);
  case Opcode::ReduceSum:
  case Opcode::ReduceMax:
    return inferReduce(opcode, operands[0]->type(), attributes);
  default:
    return fail(facts.name, " states its own type");
  }
}

} // namespace loom
