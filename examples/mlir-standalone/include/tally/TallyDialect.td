// The dialect itself.
#ifndef TALLY_DIALECT_TD
#define TALLY_DIALECT_TD

include "mlir/IR/OpBase.td"

def Tally_Dialect : Dialect {
  let name = "tally";
  let cppNamespace = "::tally";
  let summary = "Counting with 64-bit integers.";
  let description = [{
    A dialect small enough to read in one sitting: it adds, repeats and compares counts, folds what is known,
    and lowers to `arith`.
  }];
  let hasConstantMaterializer = 1;
}

#endif // TALLY_DIALECT_TD
