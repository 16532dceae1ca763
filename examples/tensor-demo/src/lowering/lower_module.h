// Syntax tree to IR.
#pragma once

#include "ir/module.h"
#include "support/diagnostics.h"
#include "syntax/ast.h"

namespace loom {

/// Lowers every function; one that does not type-check is reported and stays without a result.
Module lower(const ast::Module &module, Diagnostics &diagnostics);

} // namespace loom
