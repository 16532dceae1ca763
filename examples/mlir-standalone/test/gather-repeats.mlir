// RUN: tally-opt --tally-gather-repeats %s | FileCheck %s

// CHECK-LABEL: func @sum_of_same
// CHECK-SAME: (%[[A:.*]]: i64)
func.func @sum_of_same(%a: i64) -> i64 {
  %twice = tally.add %a, %a
  %thrice = tally.add %a, %twice
  // CHECK-NEXT: %[[R:.*]] = tally.repeat %[[A]] times 3
  // CHECK-NEXT: return %[[R]]
  return %thrice : i64
}

// CHECK-LABEL: func @repeat_of_repeat
// CHECK-SAME: (%[[A:.*]]: i64)
func.func @repeat_of_repeat(%a: i64) -> i64 {
  %inner = tally.repeat %a times 3
  %outer = tally.repeat %inner times 4
  // CHECK-NEXT: tally.repeat %[[A]] times 12
  return %outer : i64
}

// CHECK-LABEL: func @different_counts
func.func @different_counts(%a: i64, %b: i64) -> i64 {
  // CHECK-NEXT: tally.add
  %sum = tally.add %a, %b
  return %sum : i64
}
