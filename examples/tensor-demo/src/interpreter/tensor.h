// Numbers in a shape.
#pragma once

#include "ir/type.h"

#include <stdexcept>
#include <variant>
#include <vector>

namespace loom {

/// A dense row-major tensor of one of the element types.
class Tensor {
public:
  template <typename T> Tensor(Shape shape, std::vector<T> elements) : shape_(std::move(shape)) {
    if (static_cast<Index>(elements.size()) != shape_.elementCount())
      throw std::invalid_argument("a tensor of shape " + toString(shape_) + " needs " +
                                  std::to_string(shape_.elementCount()) + " elements");
    elements_ = std::move(elements);
  }

  /// A tensor whose elements are all `value`, converted to the element type.
  static Tensor filled(const TensorType &type, double value);

  /// A tensor that counts 1, 2, 3, ... in row-major order.
  static Tensor counting(const TensorType &type);

  TensorType type() const;
  const Shape &shape() const { return shape_; }

  /// The elements; throws std::bad_variant_access when T is not the element type.
  template <typename T> const std::vector<T> &elements() const { return std::get<std::vector<T>>(elements_); }

  /// True when the types agree and no element differs by more than `tolerance` times its size.
  bool isCloseTo(const Tensor &other, double tolerance) const;

private:
  using Elements = std::variant<std::vector<float>, std::vector<double>, std::vector<std::int32_t>,
                                std::vector<std::int64_t>>;

  Shape shape_;
  Elements elements_;
};

/// Prints the type and the elements in row-major order: `f32[2] {1, 2}`.
std::ostream &operator<<(std::ostream &out, const Tensor &tensor);

} // namespace loom
