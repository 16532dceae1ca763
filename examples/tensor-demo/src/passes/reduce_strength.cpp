#include "passes/match.h"
#include "passes/pattern.h"

#include <cmath>

namespace loom {
namespace {

/// The reciprocal of a power of two is exact; of any other number it would round once more than the division does.
bool hasExactReciprocal(double value) {
  int exponent = 0;
  return std::isfinite(value) && std::abs(std::frexp(value, &exponent)) == 0.5;
}

Operation *divisionToMultiplication(Operation *operation, Builder &builder) {
  Operation *x = nullptr;
  double divisor = 0;
  if (!match(operation, op<Opcode::Divide>(any(x), splat(divisor))))
    return nullptr;
  if (!isFloat(operation->type().element) || !hasExactReciprocal(divisor))
    return nullptr;
  return builder.binary(Opcode::Multiply, x, builder.constant(operation->type(), 1 / divisor));
}

Operation *doublingToAddition(Operation *operation, Builder &builder) {
  Operation *x = nullptr;
  if (!match(operation, op<Opcode::Multiply>(any(x), number(2))))
    return nullptr;
  return builder.binary(Opcode::Add, x, x);
}

} // namespace

Pass reduceStrength() {
  return patternPass("reduce-strength",
                     {{"divide-by-power-of-two", divisionToMultiplication}, {"double", doublingToAddition}});
}

} // namespace loom
