// loomc: compiles a tensor program to C, or shows any form it takes on the way.
#include "options.h"

#include "codegen/buffer_plan.h"
#include "codegen/c_emitter.h"
#include "codegen/dot_emitter.h"
#include "codegen/fuse_loops.h"
#include "codegen/lower_to_loops.h"
#include "interpreter/interpreter.h"
#include "ir/printer.h"
#include "lowering/lower_module.h"
#include "passes/pipeline.h"
#include "syntax/ast_printer.h"
#include "syntax/parser.h"

#include <fstream>
#include <iostream>

namespace {

using namespace loom;

void emitLoops(const Module &module, std::ostream &out) {
  emitCHeader(out);
  for (const auto &function : module.functions()) {
    LoopProgram program = lowerToLoops(*function);
    fuseLoops(program);
    shareBuffers(program);
    emitC(program, out);
  }
}

void emitValues(const Module &module, std::ostream &out) {
  for (const auto &function : module.functions()) {
    std::vector<Tensor> arguments;
    for (const Operation *parameter : function->parameters())
      arguments.push_back(Tensor::counting(parameter->type()));
    out << function->name() << " = " << interpret(module, *function, arguments) << '\n';
  }
}

void emit(Emit form, const Module &module, std::ostream &out) {
  switch (form) {
  case Emit::Ast:
    return; // printed before lowering
  case Emit::Ir:
    out << module;
    return;
  case Emit::C:
    return emitLoops(module, out);
  case Emit::Dot:
    for (const auto &function : module.functions())
      emitDot(*function, out);
    return;
  case Emit::Value:
    return emitValues(module, out);
  }
}

/// Returns false when the program has errors; they are printed.
bool compile(const Options &options, std::ostream &out) {
  const SourceFile source = SourceFile::read(options.input);
  Diagnostics diagnostics(source);
  const ast::Module tree = parse(source, diagnostics);
  const Module module = lower(tree, diagnostics);
  diagnostics.print(std::cerr);
  if (diagnostics.hasErrors())
    return false;
  if (options.emit == Emit::Ast) {
    out << toString(tree);
    return true;
  }
  PassManager passes = parsePipeline(options.pipeline);
  passes.run(module);
  if (options.printsStatistics)
    for (const auto &[pass, count] : passes.changes())
      std::cerr << pass << " changed " << count << " function(s)\n";
  emit(options.emit, module, out);
  return true;
}

} // namespace

int main(int argc, char **argv) {
  try {
    const Options options = parseOptions({argv + 1, argv + argc});
    if (options.output.empty())
      return compile(options, std::cout) ? 0 : 1;
    std::ofstream file(options.output);
    return compile(options, file) && file.flush() ? 0 : 1;
  } catch (const std::invalid_argument &error) {
    std::cerr << "loomc: " << error.what() << '\n' << kUsage;
    return 2;
  } catch (const std::exception &error) {
    std::cerr << "loomc: " << error.what() << '\n';
    return 1;
  }
}
