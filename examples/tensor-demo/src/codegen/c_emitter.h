// Loops to C.
#pragma once

#include "codegen/loop_nest.h"

namespace loom {

/// Writes what a file of functions starts with.
void emitCHeader(std::ostream &out);

/// Writes one function `void name(const T *parameter, ..., T *result)`, valid as C99 and as C++.
void emitC(const LoopProgram &program, std::ostream &out);

} // namespace loom
