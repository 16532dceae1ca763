#include "ir/verifier.h"

#include "ir/type_inference.h"

#include <unordered_set>

namespace loom {
namespace {

bool statesItsOwnType(Opcode opcode) {
  return opcode == Opcode::Parameter || opcode == Opcode::Constant || opcode == Opcode::Call ||
         opcode == Opcode::Broadcast;
}

} // namespace

std::vector<std::string> verify(const Function &function) {
  std::vector<std::string> problems;
  std::unordered_set<const Operation *> defined;
  for (const auto &operation : function.body()) {
    const std::string name(info(operation->opcode()).name);
    for (const Operation *operand : operation->operands())
      if (!defined.count(operand))
        problems.push_back(name + " uses a value before its definition");
    if (!statesItsOwnType(operation->opcode())) {
      const Result<TensorType> type = inferType(operation->opcode(), operation->operands(), operation->attributes());
      if (!type)
        problems.push_back(type.reason());
      else if (*type != operation->type())
        problems.push_back(name + " has type " + toString(operation->type()) + " but computes " + toString(*type));
    }
    defined.insert(operation.get());
  }
  if (!function.result())
    problems.push_back(function.name() + " returns nothing");
  else if (!defined.count(function.result()))
    problems.push_back(function.name() + " returns a value it does not define");
  else if (function.result()->type() != function.resultType())
    problems.push_back(function.name() + " returns " + toString(function.result()->type()) + " instead of " +
                       toString(function.resultType()));
  return problems;
}

} // namespace loom
