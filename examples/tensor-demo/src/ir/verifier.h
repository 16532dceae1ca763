// The rules every function keeps between two passes.
#pragma once

#include "ir/module.h"

namespace loom {

/// What is wrong with the function, one sentence each; empty when it is well formed.
std::vector<std::string> verify(const Function &function);

} // namespace loom
