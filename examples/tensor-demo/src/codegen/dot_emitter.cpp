#include "codegen/dot_emitter.h"

#include <ostream>
#include <unordered_map>

namespace loom {

void emitDot(const Function &function, std::ostream &out) {
  std::unordered_map<const Operation *, std::size_t> numbers;
  out << "digraph " << function.name() << " {\n  node [shape=box];\n";
  for (const auto &operation : function.body()) {
    const std::size_t number = numbers.emplace(operation.get(), numbers.size()).first->second;
    out << "  n" << number << " [label=\"" << info(operation->opcode()).name << "\\n" << operation->type() << "\"";
    out << (operation.get() == function.result() ? ", style=bold" : "") << "];\n";
    for (const Operation *operand : operation->operands())
      out << "  n" << numbers.at(operand) << " -> n" << number << ";\n";
  }
  out << "}\n";
}

} // namespace loom
