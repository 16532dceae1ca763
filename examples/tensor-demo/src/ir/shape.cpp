#include "ir/shape.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <ostream>
#include <sstream>

namespace loom {

Index Shape::elementCount() const {
  return std::accumulate(extents_.begin(), extents_.end(), Index{1}, std::multiplies<>());
}

std::vector<Index> Shape::strides() const {
  std::vector<Index> strides(rank());
  Index distance = 1;
  for (std::size_t axis = rank(); axis-- > 0;) {
    strides[axis] = distance;
    distance *= extents_[axis];
  }
  return strides;
}

Shape Shape::without(std::size_t axis) const {
  std::vector<Index> extents = extents_;
  extents.erase(extents.begin() + static_cast<std::ptrdiff_t>(axis));
  return Shape(std::move(extents));
}

Shape Shape::permuted(const std::vector<Index> &permutation) const {
  std::vector<Index> extents;
  for (const Index axis : permutation)
    extents.push_back(extents_.at(static_cast<std::size_t>(axis)));
  return Shape(std::move(extents));
}

std::ostream &operator<<(std::ostream &out, const Shape &shape) {
  if (shape.rank() == 0)
    return out;
  const char *separator = "[";
  for (const Index extent : shape.extents()) {
    out << separator << extent;
    separator = ", ";
  }
  return out << ']';
}

std::string toString(const Shape &shape) {
  std::ostringstream text;
  text << shape;
  return text.str();
}

Result<Shape> broadcastShapes(const Shape &a, const Shape &b) {
  const std::size_t rank = std::max(a.rank(), b.rank());
  std::vector<Index> extents(rank);
  for (std::size_t fromEnd = 1; fromEnd <= rank; ++fromEnd) {
    const Index left = fromEnd <= a.rank() ? a[a.rank() - fromEnd] : 1;
    const Index right = fromEnd <= b.rank() ? b[b.rank() - fromEnd] : 1;
    if (left != right && left != 1 && right != 1)
      return Failure{"shapes " + toString(a) + " and " + toString(b) + " do not broadcast"};
    extents[rank - fromEnd] = std::max(left, right);
  }
  return Shape(std::move(extents));
}

std::vector<Index> broadcastStrides(const Shape &from, const Shape &to) {
  const std::vector<Index> own = from.strides();
  const std::size_t added = to.rank() - from.rank();
  std::vector<Index> strides(to.rank(), 0);
  for (std::size_t axis = 0; axis < from.rank(); ++axis)
    if (from[axis] != 1)
      strides[added + axis] = own[axis];
  return strides;
}

} // namespace loom
