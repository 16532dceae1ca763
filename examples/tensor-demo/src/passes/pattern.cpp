#include "passes/pattern.h"

#include <utility>

namespace loom {
namespace {

bool applyOnce(Function &function, const std::vector<Pattern> &patterns) {
  bool changed = false;
  for (auto next = function.body().begin(); next != function.body().end();) {
    Operation *operation = (next++)->get();
    for (const Pattern &pattern : patterns) {
      Builder builder(function, operation);
      builder.setLocation(operation->location());
      Operation *replacement = pattern.rewrite(operation, builder);
      if (!replacement)
        continue;
      function.replaceAllUses(operation, replacement);
      function.erase(operation);
      changed = true;
      break;
    }
  }
  return changed;
}

} // namespace

Pass patternPass(std::string name, std::vector<Pattern> patterns) {
  return {std::move(name), [patterns = std::move(patterns)](const Module &, Function &function) {
            bool changed = false;
            while (applyOnce(function, patterns))
              changed = true;
            return changed;
          }};
}

} // namespace loom
