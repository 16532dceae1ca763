// The type of every value in a program.
#pragma once

#include "ir/element_type.h"
#include "ir/shape.h"

namespace loom {

struct TensorType {
  ElementType element = ElementType::F32;
  Shape shape;

  friend bool operator==(const TensorType &a, const TensorType &b) {
    return a.element == b.element && a.shape == b.shape;
  }
  friend bool operator!=(const TensorType &a, const TensorType &b) { return !(a == b); }
};

/// Prints `f32[4, 8]`.
std::ostream &operator<<(std::ostream &out, const TensorType &type);
std::string toString(const TensorType &type);

} // namespace loom
