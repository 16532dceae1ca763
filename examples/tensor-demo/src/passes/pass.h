// What a transformation of a function looks like.
#pragma once

#include "ir/module.h"

#include <functional>
#include <string>

namespace loom {

/// Changes a function of the module and says whether it did.
using PassFunction = std::function<bool(const Module &, Function &)>;

struct Pass {
  std::string name;
  PassFunction run;
};

Pass eliminateCommon();    // one operation for equal computations
Pass eliminateDead();      // nothing computed in vain
Pass foldConstants();      // arithmetic on constants happens now
Pass inlineCalls();        // the callee's operations in place of the call
Pass orderOperands();      // constants on the right, so that patterns need one form
Pass reduceStrength();     // cheaper operations with the same result
Pass simplifyArithmetic(); // x + 0, x * 1, -(-x)
Pass simplifyShapes();     // transposes and reshapes that cancel

} // namespace loom
