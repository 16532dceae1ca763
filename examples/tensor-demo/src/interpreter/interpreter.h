// Runs a program without compiling it: the reference every other way of running is compared with.
#pragma once

#include "interpreter/tensor.h"
#include "ir/module.h"

namespace loom {

/// Calls a function of the module; throws std::invalid_argument when the arguments do not fit its parameters.
Tensor interpret(const Module &module, const Function &function, const std::vector<Tensor> &arguments);

} // namespace loom
