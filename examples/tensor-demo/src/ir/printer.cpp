#include "ir/printer.h"

#include <ostream>
#include <sstream>
#include <unordered_map>

namespace loom {
namespace {

/// Names values in the order of their definition: `%0`, `%1`, ...
class ValueNames {
public:
  explicit ValueNames(const Function &function) {
    for (const auto &operation : function.body())
      numbers_.emplace(operation.get(), numbers_.size());
  }

  std::string operator()(const Operation *value) const { return "%" + std::to_string(numbers_.at(value)); }

private:
  std::unordered_map<const Operation *, std::size_t> numbers_;
};

} // namespace

std::ostream &operator<<(std::ostream &out, const Function &function) {
  const ValueNames name(function);
  out << "func @" << function.name() << " -> " << function.resultType() << " {\n";
  for (const auto &operation : function.body()) {
    out << "  " << name(operation.get()) << " = " << info(operation->opcode()).name;
    const char *separator = " ";
    for (const Operation *operand : operation->operands()) {
      out << separator << name(operand);
      separator = ", ";
    }
    if (!operation->attributes().empty())
      out << ' ' << operation->attributes();
    out << " : " << operation->type() << '\n';
  }
  if (function.result())
    out << "  return " << name(function.result()) << '\n';
  return out << "}\n";
}

std::ostream &operator<<(std::ostream &out, const Module &module) {
  const char *separator = "";
  for (const auto &function : module.functions()) {
    out << separator << *function;
    separator = "\n";
  }
  return out;
}

std::string toString(const Function &function) {
  std::ostringstream text;
  text << function;
  return text.str();
}

} // namespace loom
