#include "passes/pass_manager.h"

#include "ir/verifier.h"

#include <stdexcept>
#include <utility>

namespace loom {
namespace {

// A round does most of the work; a function that still changes after this many has two passes in a quarrel.
constexpr unsigned kMostRounds = 64;

} // namespace

void PassManager::add(Pass pass) { passes_.push_back(std::move(pass)); }

void PassManager::run(const Module &module) {
  for (const auto &function : module.functions()) {
    unsigned rounds = 0;
    while (runRound(module, *function))
      if (++rounds == kMostRounds)
        throw std::logic_error("the passes over " + function->name() + " do not settle");
  }
}

bool PassManager::runRound(const Module &module, Function &function) {
  bool changed = false;
  for (const Pass &pass : passes_) {
    if (!pass.run(module, function))
      continue;
    changed = true;
    ++changes_[pass.name];
    const std::vector<std::string> problems = verify(function);
    if (!problems.empty())
      throw std::logic_error("after " + pass.name + ": " + problems.front());
  }
  return changed;
}

} // namespace loom
