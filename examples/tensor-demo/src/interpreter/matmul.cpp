#include "interpreter/kernels.h"

namespace loom {

Tensor multiplyMatrices(const Tensor &a, const Tensor &b) {
  return dispatch(a.type().element, [&](auto zero) {
    using T = decltype(zero);
    const auto rows = static_cast<std::size_t>(a.shape()[0]);
    const auto inner = static_cast<std::size_t>(a.shape()[1]);
    const auto columns = static_cast<std::size_t>(b.shape()[1]);
    const std::vector<T> &left = a.elements<T>();
    const std::vector<T> &right = b.elements<T>();
    std::vector<T> product(rows * columns, T{0});
    // The inner extent in the middle, so that the innermost loop walks both matrices in memory order.
    for (std::size_t row = 0; row < rows; ++row)
      for (std::size_t k = 0; k < inner; ++k)
        for (std::size_t column = 0; column < columns; ++column)
          product[row * columns + column] += left[row * inner + k] * right[k * columns + column];
    return Tensor({a.shape()[0], b.shape()[1]}, std::move(product));
  });
}

} // namespace loom
