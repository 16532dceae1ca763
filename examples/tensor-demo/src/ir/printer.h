// The IR as text.
#pragma once

#include "ir/module.h"

namespace loom {

std::ostream &operator<<(std::ostream &out, const Function &function);
std::ostream &operator<<(std::ostream &out, const Module &module);
std::string toString(const Function &function);

} // namespace loom
