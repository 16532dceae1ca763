// Memory for the temporaries of a loop program.
#pragma once

#include "codegen/loop_nest.h"

namespace loom {

/// Lets temporaries whose lifetimes do not overlap share one buffer of the same element type.
///
/// Returns how many bytes the temporaries need afterwards.
Index shareBuffers(LoopProgram &program);

} // namespace loom
