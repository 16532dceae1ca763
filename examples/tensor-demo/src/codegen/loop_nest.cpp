#include "codegen/loop_nest.h"

namespace loom {

bool reads(const LoopNest &nest, const std::string &buffer) {
  bool found = false;
  forEachAccess(nest.value, [&](const Access &access) { found = found || access.buffer == buffer; });
  return found;
}

} // namespace loom
