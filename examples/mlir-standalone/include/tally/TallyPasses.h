// The passes over the tally dialect.
#ifndef TALLY_PASSES_H
#define TALLY_PASSES_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Pass/Pass.h"

#include <memory>

namespace tally {

#define GEN_PASS_DECL
#include "tally/TallyPasses.h.inc"

#define GEN_PASS_REGISTRATION
#include "tally/TallyPasses.h.inc"

} // namespace tally

#endif // TALLY_PASSES_H
