// The syntax tree as fully parenthesised source text.
#pragma once

#include "syntax/ast.h"

namespace loom::ast {

std::string toString(const Expression &expression);
std::string toString(const Module &module);

} // namespace loom::ast
