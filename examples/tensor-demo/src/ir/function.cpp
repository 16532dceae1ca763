#include "ir/function.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace loom {
namespace {

Function::Body::const_iterator find(const Function::Body &body, const Operation *operation) {
  return std::find_if(body.begin(), body.end(), [=](const auto &candidate) { return candidate.get() == operation; });
}

} // namespace

Function::Function(std::string name, TensorType resultType)
    : name_(std::move(name)), resultType_(std::move(resultType)) {}

std::vector<Operation *> Function::parameters() const {
  std::vector<Operation *> parameters;
  for (const auto &operation : body_)
    if (operation->is(Opcode::Parameter))
      parameters.push_back(operation.get());
  return parameters;
}

Operation *Function::insert(std::unique_ptr<Operation> operation, const Operation *before) {
  return body_.insert(before ? find(body_, before) : body_.end(), std::move(operation))->get();
}

void Function::erase(const Operation *operation) {
  assert(!hasUses(operation) && "an operation outlives its users");
  body_.erase(find(body_, operation));
}

void Function::replaceAllUses(const Operation *from, Operation *to) {
  for (const auto &user : body_)
    for (std::size_t index = 0; index < user->operands().size(); ++index)
      if (user->operand(index) == from)
        user->setOperand(index, to);
  if (result_ == from)
    result_ = to;
}

bool Function::hasUses(const Operation *operation) const {
  return result_ == operation || std::any_of(body_.begin(), body_.end(), [=](const auto &user) {
           const auto &operands = user->operands();
           return std::find(operands.begin(), operands.end(), operation) != operands.end();
         });
}

} // namespace loom
