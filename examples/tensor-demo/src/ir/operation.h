// One step of a program: an opcode applied to the results of earlier operations.
#pragma once

#include "ir/attribute.h"
#include "ir/opcode.h"
#include "ir/type.h"
#include "support/source.h"

#include <string>
#include <vector>

namespace loom {

/// An operation and its single result are one thing, so a value is a pointer to the operation that computes it.
class Operation {
public:
  Operation(Opcode opcode, std::vector<Operation *> operands, Attributes attributes, TensorType type,
            Location location);

  Opcode opcode() const { return opcode_; }
  bool is(Opcode opcode) const { return opcode_ == opcode; }
  const TensorType &type() const { return type_; }
  Location location() const { return location_; }

  const std::vector<Operation *> &operands() const { return operands_; }
  Operation *operand(std::size_t index) const { return operands_.at(index); }
  void setOperand(std::size_t index, Operation *value) { operands_.at(index) = value; }

  const Attributes &attributes() const { return attributes_; }

  /// The attribute of that name and kind; throws std::out_of_range or std::bad_variant_access when there is none.
  template <typename T> const T &attribute(const std::string &name) const {
    return std::get<T>(attributes_.at(name));
  }

  /// True when both compute the same value from the same operands.
  bool computesSameAs(const Operation &other) const;

private:
  Opcode opcode_;
  std::vector<Operation *> operands_;
  Attributes attributes_;
  TensorType type_;
  Location location_;
};

} // namespace loom
