// Extents of a tensor, outermost first.
#pragma once

#include "support/result.h"

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iosfwd>
#include <string>
#include <vector>

namespace loom {

using Index = std::int64_t;

class Shape {
public:
  Shape() = default;
  Shape(std::initializer_list<Index> extents) : extents_(extents) {}
  explicit Shape(std::vector<Index> extents) : extents_(std::move(extents)) {}

  std::size_t rank() const { return extents_.size(); }
  Index operator[](std::size_t axis) const { return extents_.at(axis); }
  const std::vector<Index> &extents() const { return extents_; }

  /// How many elements a tensor of this shape has; 1 for a scalar.
  Index elementCount() const;

  /// Row-major distance between neighbours along each axis.
  std::vector<Index> strides() const;

  /// The shape without one axis.
  Shape without(std::size_t axis) const;

  /// The shape with its axes reordered: result[i] = shape[permutation[i]].
  Shape permuted(const std::vector<Index> &permutation) const;

  friend bool operator==(const Shape &a, const Shape &b) { return a.extents_ == b.extents_; }
  friend bool operator!=(const Shape &a, const Shape &b) { return !(a == b); }

private:
  std::vector<Index> extents_;
};

/// Prints `[4, 8]`, or nothing for a scalar.
std::ostream &operator<<(std::ostream &out, const Shape &shape);
std::string toString(const Shape &shape);

/// The shape both operands stretch to; axes are aligned at the innermost, and extents of 1 repeat.
Result<Shape> broadcastShapes(const Shape &a, const Shape &b);

/// Row-major strides of `from` as seen through the shape `to` it is broadcast to: repeated axes have stride 0.
std::vector<Index> broadcastStrides(const Shape &from, const Shape &to);

} // namespace loom
