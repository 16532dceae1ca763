// Tokens to syntax tree.
#pragma once

#include "support/diagnostics.h"
#include "syntax/ast.h"

namespace loom {

/// Parses a whole file; functions with errors are reported and left out, the others are still read.
ast::Module parse(const SourceFile &source, Diagnostics &diagnostics);

} // namespace loom
