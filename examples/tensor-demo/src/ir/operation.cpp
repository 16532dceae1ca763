#include "ir/operation.h"

#include <utility>

namespace loom {

Operation::Operation(Opcode opcode, std::vector<Operation *> operands, Attributes attributes, TensorType type,
                     Location location)
    : opcode_(opcode), operands_(std::move(operands)), attributes_(std::move(attributes)), type_(std::move(type)),
      location_(location) {}

bool Operation::computesSameAs(const Operation &other) const {
  return opcode_ == other.opcode_ && type_ == other.type_ && operands_ == other.operands_ &&
         attributes_ == other.attributes_;
}

} // namespace loom
