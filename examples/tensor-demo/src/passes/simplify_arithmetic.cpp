#include "passes/match.h"
#include "passes/pattern.h"

namespace loom {
namespace {

/// x + 0, x - 0, x * 1, x / 1. The sign of a floating-point zero is not preserved.
Operation *neutralElement(Operation *operation, Builder &) {
  Operation *x = nullptr;
  if (match(operation, op<Opcode::Add>(any(x), number(0))) || match(operation, op<Opcode::Subtract>(any(x), number(0))) ||
      match(operation, op<Opcode::Multiply>(any(x), number(1))) ||
      match(operation, op<Opcode::Divide>(any(x), number(1))))
    return x;
  return nullptr;
}

/// x * 0, x - x: only for integers, where no infinity and no NaN can hide in x.
Operation *integerZero(Operation *operation, Builder &builder) {
  Operation *x = nullptr;
  if (isFloat(operation->type().element))
    return nullptr;
  if (match(operation, op<Opcode::Multiply>(any(x), number(0))) ||
      match(operation, op<Opcode::Subtract>(any(x), same(x))))
    return builder.constant(operation->type(), 0);
  return nullptr;
}

/// -(-x)
Operation *doubleNegation(Operation *operation, Builder &) {
  Operation *x = nullptr;
  return match(operation, op<Opcode::Negate>(op<Opcode::Negate>(any(x)))) ? x : nullptr;
}

/// x + (-y) and x - (-y)
Operation *negatedOperand(Operation *operation, Builder &builder) {
  Operation *x = nullptr;
  Operation *y = nullptr;
  if (match(operation, op<Opcode::Add>(any(x), op<Opcode::Negate>(any(y)))))
    return builder.binary(Opcode::Subtract, x, y);
  if (match(operation, op<Opcode::Subtract>(any(x), op<Opcode::Negate>(any(y)))))
    return builder.binary(Opcode::Add, x, y);
  return nullptr;
}

/// max(x, x), relu(relu(x)), max(x, 0)
Operation *clamp(Operation *operation, Builder &builder) {
  Operation *x = nullptr;
  if (match(operation, op<Opcode::Maximum>(any(x), same(x))))
    return x;
  if (match(operation, op<Opcode::Relu>(op<Opcode::Relu>(any(x)))))
    return operation->operand(0);
  if (match(operation, op<Opcode::Maximum>(any(x), number(0))))
    return builder.unary(Opcode::Relu, x);
  return nullptr;
}

} // namespace

Pass simplifyArithmetic() {
  return patternPass("simplify-arithmetic", {{"neutral-element", neutralElement},
                                             {"integer-zero", integerZero},
                                             {"double-negation", doubleNegation},
                                             {"negated-operand", negatedOperand},
                                             {"clamp", clamp}});
}

} // namespace loom
