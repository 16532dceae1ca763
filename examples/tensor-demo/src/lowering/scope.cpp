#include "lowering/scope.h"

namespace loom {

bool Scope::bind(const std::string &name, Operation *value) { return values_.emplace(name, value).second; }

Operation *Scope::find(const std::string &name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? nullptr : found->second;
}

} // namespace loom
