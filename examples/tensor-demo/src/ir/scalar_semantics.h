// What each elementwise opcode means for one number.
//
// Constant folding and the interpreter both compute through these, so they cannot disagree.
#pragma once

#include "ir/opcode.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <type_traits>

namespace loom {

template <typename T> T applyUnary(Opcode opcode, T x) {
  switch (opcode) {
  case Opcode::Negate:
    return -x;
  case Opcode::Relu:
    return std::max(x, T{0});
  case Opcode::Exp:
    return static_cast<T>(std::exp(x));
  case Opcode::Sqrt:
    return static_cast<T>(std::sqrt(x));
  default:
    throw std::logic_error("not a unary opcode");
  }
}

/// Throws std::domain_error when an integer is divided by zero.
template <typename T> T applyBinary(Opcode opcode, T x, T y) {
  switch (opcode) {
  case Opcode::Add:
    return x + y;
  case Opcode::Subtract:
    return x - y;
  case Opcode::Multiply:
    return x * y;
  case Opcode::Divide:
    if (std::is_integral_v<T> && y == T{0})
      throw std::domain_error("integer division by zero");
    return x / y;
  case Opcode::Maximum:
    return std::max(x, y);
  default:
    throw std::logic_error("not a binary opcode");
  }
}

} // namespace loom
