#include "interpreter/kernels.h"

#include <algorithm>
#include <functional>

namespace loom {
namespace {

/// Folds each run of elements along the axis; `outer` and `inner` count what lies around it.
template <typename T, typename Combine>
std::vector<T> foldAxis(const std::vector<T> &elements, std::size_t outer, std::size_t extent, std::size_t inner,
                        Combine combine) {
  std::vector<T> result;
  result.reserve(outer * inner);
  for (std::size_t before = 0; before < outer; ++before)
    for (std::size_t after = 0; after < inner; ++after) {
      const std::size_t start = before * extent * inner + after;
      T folded = elements[start];
      for (std::size_t step = 1; step < extent; ++step)
        folded = combine(folded, elements[start + step * inner]);
      result.push_back(folded);
    }
  return result;
}

} // namespace

Tensor reduceAxis(Opcode opcode, const Tensor &tensor, std::size_t axis) {
  const Shape &shape = tensor.shape();
  const auto extent = static_cast<std::size_t>(shape[axis]);
  const auto inner = static_cast<std::size_t>(shape.strides()[axis]);
  const auto outer = static_cast<std::size_t>(shape.elementCount()) / (extent * inner);
  return dispatch(tensor.type().element, [&](auto zero) {
    using T = decltype(zero);
    const std::vector<T> &elements = tensor.elements<T>();
    if (opcode == Opcode::ReduceSum)
      return Tensor(shape.without(axis), foldAxis(elements, outer, extent, inner, std::plus<T>()));
    const auto larger = [](T a, T b) { return std::max(a, b); };
    return Tensor(shape.without(axis), foldAxis(elements, outer, extent, inner, larger));
  });
}

} // namespace loom
