#include "ir/scalar_semantics.h"
#include "passes/match.h"
#include "passes/pattern.h"

namespace loom {
namespace {

bool isConstant(const Operation *operation) { return operation->is(Opcode::Constant); }

double valueOf(const Operation *constant) { return constant->attribute<double>("value"); }

/// Computes in the element type itself, so that the folded number is the one the program would compute.
Operation *foldElementwise(Operation *operation, Builder &builder) {
  if (!info(operation->opcode()).isElementwise)
    return nullptr;
  for (const Operation *operand : operation->operands())
    if (!isConstant(operand))
      return nullptr;
  // An integer division by zero stays in the program and fails there, with its location.
  if (operation->is(Opcode::Divide) && valueOf(operation->operand(1)) == 0)
    return nullptr;
  const double value = dispatch(operation->type().element, [&](auto zero) {
    using T = decltype(zero);
    const T first = static_cast<T>(valueOf(operation->operand(0)));
    if (operation->operands().size() == 1)
      return static_cast<double>(applyUnary<T>(operation->opcode(), first));
    const T second = static_cast<T>(valueOf(operation->operand(1)));
    return static_cast<double>(applyBinary<T>(operation->opcode(), first, second));
  });
  return builder.constant(operation->type(), value);
}

/// A constant has one value everywhere, so moving its elements around changes only the shape.
Operation *foldMovement(Operation *operation, Builder &builder) {
  double value = 0;
  if (match(operation, op<Opcode::Transpose>(splat(value))) || match(operation, op<Opcode::Reshape>(splat(value))) ||
      match(operation, op<Opcode::Broadcast>(splat(value))) || match(operation, op<Opcode::ReduceMax>(splat(value))))
    return builder.constant(operation->type(), value);
  return nullptr;
}

} // namespace

Pass foldConstants() {
  return patternPass("fold-constants", {{"elementwise", foldElementwise}, {"movement", foldMovement}});
}

} // namespace loom
