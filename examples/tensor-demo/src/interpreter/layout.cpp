#include "interpreter/kernels.h"

namespace loom {
namespace {

/// Collects elements in row-major order of `shape`, walking the source with its own strides.
template <typename T>
void gather(const std::vector<T> &source, const Shape &shape, const std::vector<Index> &strides, std::size_t axis,
            Index offset, std::vector<T> &result) {
  if (axis == shape.rank()) {
    result.push_back(source[static_cast<std::size_t>(offset)]);
    return;
  }
  for (Index i = 0; i < shape[axis]; ++i)
    gather(source, shape, strides, axis + 1, offset + i * strides[axis], result);
}

Tensor view(const Tensor &tensor, const Shape &shape, const std::vector<Index> &strides) {
  return dispatch(tensor.type().element, [&](auto zero) {
    using T = decltype(zero);
    std::vector<T> result;
    result.reserve(static_cast<std::size_t>(shape.elementCount()));
    gather(tensor.elements<T>(), shape, strides, 0, 0, result);
    return Tensor(shape, std::move(result));
  });
}

} // namespace

Tensor transpose(const Tensor &tensor, const std::vector<Index> &permutation) {
  const std::vector<Index> own = tensor.shape().strides();
  std::vector<Index> strides;
  for (const Index axis : permutation)
    strides.push_back(own[static_cast<std::size_t>(axis)]);
  return view(tensor, tensor.shape().permuted(permutation), strides);
}

Tensor reshape(const Tensor &tensor, const Shape &shape) { return view(tensor, shape, shape.strides()); }

Tensor broadcast(const Tensor &tensor, const Shape &shape) {
  return view(tensor, shape, broadcastStrides(tensor.shape(), shape));
}

} // namespace loom
