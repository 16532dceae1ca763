// Rewrites that need no C++.
#ifndef TALLY_REWRITES_TD
#define TALLY_REWRITES_TD

include "TallyOps.td"
include "mlir/IR/PatternBase.td"

def MultiplyTimes : NativeCodeCall<"$_builder.getI64IntegerAttr($0.getInt() * $1.getInt())">;

// (x times a) times b = x times (a * b)
def RepeatOfRepeat : Pat<
  (Tally_RepeatOp (Tally_RepeatOp $count, $inner), $outer),
  (Tally_RepeatOp $count, (MultiplyTimes $inner, $outer))>;

// x + x = x times 2
def AddOfSame : Pat<
  (Tally_AddOp $count, $count),
  (Tally_RepeatOp $count, ConstantAttr<I64Attr, "2">)>;

#endif // TALLY_REWRITES_TD
