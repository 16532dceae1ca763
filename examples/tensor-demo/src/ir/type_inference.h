// Result types that follow from opcode, operands and attributes.
#pragma once

#include "ir/operation.h"
#include "support/result.h"

namespace loom {

/// The type an operation has, or why it cannot exist.
///
/// Parameters, constants, calls and broadcasts state their type themselves and are not inferred.
Result<TensorType> inferType(Opcode opcode, const std::vector<Operation *> &operands, const Attributes &attributes);

} // namespace loom
