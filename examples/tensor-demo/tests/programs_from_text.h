// IR for tests, written as source text.
#pragma once

#include "ir/printer.h"
#include "lowering/lower_module.h"
#include "syntax/parser.h"

#include <sstream>
#include <stdexcept>

namespace loom::test {

/// Everything the compiler has to say about the text.
inline std::string diagnosticsOf(const std::string &text) {
  const SourceFile source("test.loom", text);
  Diagnostics diagnostics(source);
  lower(parse(source, diagnostics), diagnostics);
  std::ostringstream printed;
  diagnostics.print(printed);
  return printed.str();
}

/// The module of a program without errors.
inline Module moduleFrom(const std::string &text) {
  const SourceFile source("test.loom", text);
  Diagnostics diagnostics(source);
  Module module = lower(parse(source, diagnostics), diagnostics);
  if (diagnostics.hasErrors())
    throw std::runtime_error(diagnosticsOf(text));
  return module;
}

} // namespace loom::test
