#include "passes/pass.h"

#include <unordered_set>
#include <vector>

namespace loom {
namespace {

/// Everything the result needs, itself included.
std::unordered_set<const Operation *> liveOperations(const Function &function) {
  std::unordered_set<const Operation *> live;
  std::vector<const Operation *> pending = {function.result()};
  while (!pending.empty()) {
    const Operation *operation = pending.back();
    pending.pop_back();
    if (!live.insert(operation).second)
      continue;
    pending.insert(pending.end(), operation->operands().begin(), operation->operands().end());
  }
  return live;
}

bool run(const Module &, Function &function) {
  if (!function.result())
    return false;
  const auto live = liveOperations(function);
  const std::size_t before = function.size();
  // Backwards, so that users go before what they use.
  for (auto next = function.body().end(); next != function.body().begin();) {
    const Operation *operation = (--next)->get();
    if (live.count(operation) || operation->is(Opcode::Parameter))
      continue;
    ++next;
    function.erase(operation);
  }
  return function.size() != before;
}

} // namespace

Pass eliminateDead() { return {"eliminate-dead", run}; }

} // namespace loom
