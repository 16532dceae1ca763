#include "ir/builder.h"
#include "passes/pass.h"

#include <unordered_map>

namespace loom {
namespace {

/// Copies the callee's body before the call and returns the copy of its result.
Operation *copyBody(const Function &callee, const Operation &call, Function &caller) {
  Builder builder(caller, &call);
  std::unordered_map<const Operation *, Operation *> copies;
  std::size_t nextArgument = 0;
  for (const auto &operation : callee.body()) {
    if (operation->is(Opcode::Parameter)) {
      copies[operation.get()] = call.operand(nextArgument++);
      continue;
    }
    std::vector<Operation *> operands;
    for (const Operation *operand : operation->operands())
      operands.push_back(copies.at(operand));
    copies[operation.get()] = builder.clone(*operation, std::move(operands));
  }
  return copies.at(callee.result());
}

bool run(const Module &module, Function &function) {
  bool changed = false;
  for (auto next = function.body().begin(); next != function.body().end();) {
    Operation *call = (next++)->get();
    if (!call->is(Opcode::Call))
      continue;
    const Function *callee = module.find(call->attribute<std::string>("callee"));
    function.replaceAllUses(call, copyBody(*callee, *call, function));
    function.erase(call);
    changed = true;
  }
  return changed;
}

} // namespace

Pass inlineCalls() { return {"inline-calls", run}; }

} // namespace loom
