// The operations of the dialect.
#ifndef TALLY_OPS_TD
#define TALLY_OPS_TD

include "TallyDialect.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

class Tally_Op<string mnemonic, list<Trait> traits = []> : Op<Tally_Dialect, mnemonic, !listconcat(traits, [Pure])>;

def Tally_ConstantOp : Tally_Op<"constant", [ConstantLike]> {
  let summary = "A known count.";
  let arguments = (ins I64Attr:$value);
  let results = (outs I64:$result);
  let assemblyFormat = "$value attr-dict";
  let hasFolder = 1;
}

def Tally_AddOp : Tally_Op<"add", [Commutative]> {
  let summary = "The sum of two counts.";
  let arguments = (ins I64:$lhs, I64:$rhs);
  let results = (outs I64:$result);
  let assemblyFormat = "$lhs `,` $rhs attr-dict";
  let hasFolder = 1;
}

def Tally_RepeatOp : Tally_Op<"repeat"> {
  let summary = "A count, added up a fixed number of times.";
  let description = [{
    `tally.repeat %count times 3` is `%count + %count + %count`. The number of times is not negative.
  }];
  let arguments = (ins I64:$count, I64Attr:$times);
  let results = (outs I64:$result);
  let assemblyFormat = "$count `times` $times attr-dict";
  let hasFolder = 1;
  let hasVerifier = 1;
}

def Tally_LargerOp : Tally_Op<"larger", [Commutative]> {
  let summary = "The larger of two counts.";
  let arguments = (ins I64:$lhs, I64:$rhs);
  let results = (outs I64:$result);
  let assemblyFormat = "$lhs `,` $rhs attr-dict";
  let hasFolder = 1;
}

#endif // TALLY_OPS_TD
