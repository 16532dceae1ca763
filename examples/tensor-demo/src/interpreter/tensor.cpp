#include "interpreter/tensor.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <ostream>

namespace loom {

Tensor Tensor::filled(const TensorType &type, double value) {
  return dispatch(type.element, [&](auto zero) {
    using T = decltype(zero);
    return Tensor(type.shape,
                  std::vector<T>(static_cast<std::size_t>(type.shape.elementCount()), static_cast<T>(value)));
  });
}

Tensor Tensor::counting(const TensorType &type) {
  return dispatch(type.element, [&](auto zero) {
    using T = decltype(zero);
    std::vector<T> elements(static_cast<std::size_t>(type.shape.elementCount()));
    std::iota(elements.begin(), elements.end(), T{1});
    return Tensor(type.shape, std::move(elements));
  });
}

TensorType Tensor::type() const {
  // The alternatives stand in the order of the enumeration.
  return {static_cast<ElementType>(elements_.index()), shape_};
}

bool Tensor::isCloseTo(const Tensor &other, double tolerance) const {
  if (type() != other.type())
    return false;
  return std::visit(
      [&](const auto &mine) {
        using Elements = std::decay_t<decltype(mine)>;
        const auto &theirs = std::get<Elements>(other.elements_);
        return std::equal(mine.begin(), mine.end(), theirs.begin(), [&](auto a, auto b) {
          const double x = static_cast<double>(a);
          const double y = static_cast<double>(b);
          return std::abs(x - y) <= tolerance * std::max(1.0, std::max(std::abs(x), std::abs(y)));
        });
      },
      elements_);
}

std::ostream &operator<<(std::ostream &out, const Tensor &tensor) {
  out << tensor.type();
  return dispatch(tensor.type().element, [&](auto zero) -> std::ostream & {
    const char *separator = " {";
    for (const auto element : tensor.elements<decltype(zero)>()) {
      out << separator << element;
      separator = ", ";
    }
    return out << '}';
  });
}

} // namespace loom
