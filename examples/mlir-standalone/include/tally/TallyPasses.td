// The passes over the dialect.
#ifndef TALLY_PASSES_TD
#define TALLY_PASSES_TD

include "mlir/Pass/PassBase.td"

def GatherRepeats : Pass<"tally-gather-repeats"> {
  let summary = "Turn sums of one count into repeats, and repeats of repeats into one.";
}

def ConvertTallyToArith : Pass<"convert-tally-to-arith"> {
  let summary = "Lower every operation of the dialect to arith.";
  let dependentDialects = ["::mlir::arith::ArithDialect"];
}

#endif // TALLY_PASSES_TD
