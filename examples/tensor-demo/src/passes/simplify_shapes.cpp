#include "passes/match.h"
#include "passes/pattern.h"

#include <algorithm>
#include <numeric>

namespace loom {
namespace {

using Permutation = std::vector<Index>;

const Permutation &permutationOf(const Operation *transpose) {
  return transpose->attribute<Permutation>("permutation");
}

Permutation compose(const Permutation &outer, const Permutation &inner) {
  Permutation composed;
  for (const Index axis : outer)
    composed.push_back(inner[static_cast<std::size_t>(axis)]);
  return composed;
}

bool isIdentity(const Permutation &permutation) {
  Permutation identity(permutation.size());
  std::iota(identity.begin(), identity.end(), Index{0});
  return permutation == identity;
}

Operation *transposeOfTranspose(Operation *operation, Builder &builder) {
  Operation *x = nullptr;
  if (!match(operation, op<Opcode::Transpose>(op<Opcode::Transpose>(any(x)))))
    return nullptr;
  return builder.transpose(x, compose(permutationOf(operation), permutationOf(operation->operand(0))));
}

Operation *transposeOfNothing(Operation *operation, Builder &) {
  Operation *x = nullptr;
  return match(operation, op<Opcode::Transpose>(any(x))) && isIdentity(permutationOf(operation)) ? x : nullptr;
}

Operation *reshapeOfReshape(Operation *operation, Builder &builder) {
  Operation *x = nullptr;
  if (!match(operation, op<Opcode::Reshape>(op<Opcode::Reshape>(any(x)))))
    return nullptr;
  return builder.reshape(x, operation->type().shape);
}

Operation *reshapeToSame(Operation *operation, Builder &) {
  Operation *x = nullptr;
  return match(operation, op<Opcode::Reshape>(any(x))) && x->type() == operation->type() ? x : nullptr;
}

Operation *broadcastOfBroadcast(Operation *operation, Builder &builder) {
  Operation *x = nullptr;
  if (!match(operation, op<Opcode::Broadcast>(op<Opcode::Broadcast>(any(x)))))
    return nullptr;
  return builder.broadcast(x, operation->type().shape);
}

/// transpose(a @ b) = transpose(b) @ transpose(a), when a transpose then cancels.
Operation *transposeOfProduct(Operation *operation, Builder &builder) {
  Operation *a = nullptr;
  Operation *b = nullptr;
  if (!match(operation, op<Opcode::Transpose>(op<Opcode::MatMul>(any(a), any(b)))) || isIdentity(permutationOf(operation)))
    return nullptr;
  if (!a->is(Opcode::Transpose) || !b->is(Opcode::Transpose))
    return nullptr;
  return builder.matmul(builder.transpose(b, {1, 0}), builder.transpose(a, {1, 0}));
}

} // namespace

Pass simplifyShapes() {
  return patternPass("simplify-shapes", {{"transpose-of-nothing", transposeOfNothing},
                                         {"transpose-of-transpose", transposeOfTranspose},
                                         {"transpose-of-product", transposeOfProduct},
                                         {"reshape-to-same", reshapeToSame},
                                         {"reshape-of-reshape", reshapeOfReshape},
                                         {"broadcast-of-broadcast", broadcastOfBroadcast}});
}

} // namespace loom
