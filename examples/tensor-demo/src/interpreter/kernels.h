// What the interpreter computes with: one function a family of opcodes, generic over element types.
#pragma once

#include "interpreter/tensor.h"
#include "ir/opcode.h"

namespace loom {

/// Throws std::domain_error when an integer is divided by zero.
Tensor applyElementwise(Opcode opcode, const std::vector<const Tensor *> &operands);

Tensor multiplyMatrices(const Tensor &a, const Tensor &b);

/// Adds up, or takes the maximum of, the elements along one axis.
Tensor reduceAxis(Opcode opcode, const Tensor &tensor, std::size_t axis);

Tensor transpose(const Tensor &tensor, const std::vector<Index> &permutation);
Tensor reshape(const Tensor &tensor, const Shape &shape);
Tensor broadcast(const Tensor &tensor, const Shape &shape);

} // namespace loom
