// Local rewrites, applied until none fits.
#pragma once

#include "ir/builder.h"
#include "passes/pass.h"

namespace loom {

/// A rewrite of one operation: the value that replaces it, or null when the pattern does not fit.
struct Pattern {
  std::string name;
  std::function<Operation *(Operation *, Builder &)> rewrite;
};

/// A pass that applies the patterns in program order until a whole round changes nothing.
Pass patternPass(std::string name, std::vector<Pattern> patterns);

} // namespace loom
