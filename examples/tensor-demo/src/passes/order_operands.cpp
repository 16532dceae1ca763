#include "passes/pass.h"

namespace loom {
namespace {

bool run(const Module &, Function &function) {
  bool changed = false;
  for (const auto &operation : function.body()) {
    if (!info(operation->opcode()).isCommutative)
      continue;
    Operation *left = operation->operand(0);
    Operation *right = operation->operand(1);
    if (!left->is(Opcode::Constant) || right->is(Opcode::Constant))
      continue;
    operation->setOperand(0, right);
    operation->setOperand(1, left);
    changed = true;
  }
  return changed;
}

} // namespace

Pass orderOperands() { return {"order-operands", run}; }

} // namespace loom
