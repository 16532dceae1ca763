// Runs passes over a module and watches over them.
#pragma once

#include "passes/pass.h"

#include <map>

namespace loom {

class PassManager {
public:
  void add(Pass pass);

  /// Runs all passes over each function until none changes it.
  ///
  /// Throws std::logic_error when a pass leaves a function malformed, or when the passes undo each other's work.
  void run(const Module &module);

  /// How often each pass changed a function.
  const std::map<std::string, unsigned> &changes() const { return changes_; }

private:
  bool runRound(const Module &module, Function &function);

  std::vector<Pass> passes_;
  std::map<std::string, unsigned> changes_;
};

} // namespace loom
