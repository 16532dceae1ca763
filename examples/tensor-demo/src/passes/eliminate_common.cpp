#include "passes/pass.h"

#include <unordered_map>

namespace loom {
namespace {

struct ComputationHash {
  std::size_t operator()(const Operation *operation) const {
    std::size_t hash = static_cast<std::size_t>(operation->opcode());
    for (const Operation *operand : operation->operands())
      hash = hash * 31 + std::hash<const Operation *>()(operand);
    return hash;
  }
};

struct SameComputation {
  bool operator()(const Operation *a, const Operation *b) const { return a->computesSameAs(*b); }
};

bool run(const Module &, Function &function) {
  bool changed = false;
  std::unordered_map<const Operation *, Operation *, ComputationHash, SameComputation> seen;
  for (auto next = function.body().begin(); next != function.body().end();) {
    Operation *operation = (next++)->get();
    if (operation->is(Opcode::Parameter))
      continue;
    const auto [first, isNew] = seen.emplace(operation, operation);
    if (isNew)
      continue;
    function.replaceAllUses(operation, first->second);
    function.erase(operation);
    changed = true;
  }
  return changed;
}

} // namespace

Pass eliminateCommon() { return {"eliminate-common", run}; }

} // namespace loom
