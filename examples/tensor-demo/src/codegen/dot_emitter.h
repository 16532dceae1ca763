// The data flow of a function as a Graphviz drawing.
#pragma once

#include "ir/function.h"

namespace loom {

void emitDot(const Function &function, std::ostream &out);

} // namespace loom
