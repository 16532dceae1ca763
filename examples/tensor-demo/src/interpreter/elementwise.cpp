#include "interpreter/kernels.h"
#include "ir/scalar_semantics.h"

#include <algorithm>
#include <iterator>

namespace loom {

Tensor applyElementwise(Opcode opcode, const std::vector<const Tensor *> &operands) {
  return dispatch(operands[0]->type().element, [&](auto zero) {
    using T = decltype(zero);
    const std::vector<T> &first = operands[0]->elements<T>();
    std::vector<T> result;
    result.reserve(first.size());
    if (operands.size() == 1)
      std::transform(first.begin(), first.end(), std::back_inserter(result),
                     [=](T x) { return applyUnary<T>(opcode, x); });
    else
      std::transform(first.begin(), first.end(), operands[1]->elements<T>().begin(), std::back_inserter(result),
                     [=](T x, T y) { return applyBinary<T>(opcode, x, y); });
    return Tensor(operands[0]->shape(), std::move(result));
  });
}

} // namespace loom
