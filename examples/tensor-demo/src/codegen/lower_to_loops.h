// IR to loops.
#pragma once

#include "codegen/loop_nest.h"
#include "ir/function.h"

namespace loom {

/// Lowers a function without calls, one buffer a value; throws std::logic_error when a call is left.
LoopProgram lowerToLoops(const Function &function);

} // namespace loom
