// RUN: tally-opt %s --split-input-file --verify-diagnostics

func.func @negative(%a: i64) -> i64 {
  // expected-error @+1 {{cannot repeat a count -1 times}}
  %r = tally.repeat %a times -1
  return %r : i64
}

// -----

func.func @narrow(%a: i32) -> i64 {
  // expected-note @-1 {{prior use here}}
  // expected-error @+1 {{use of value '%a' expects different type than prior uses: 'i64' vs 'i32'}}
  %r = tally.add %a, %a
  return %r : i64
}
