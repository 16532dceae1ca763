// Temporaries that never reach memory.
#pragma once

#include "codegen/loop_nest.h"

namespace loom {

/// Computes a temporary where it is read, when every reader walks the same elements exactly once.
void fuseLoops(LoopProgram &program);

} // namespace loom
