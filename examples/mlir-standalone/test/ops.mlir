// RUN: tally-opt %s | tally-opt | FileCheck %s

// Every operation survives printing and parsing.

// CHECK-LABEL: func @ops
// CHECK-SAME: (%[[A:.*]]: i64, %[[B:.*]]: i64)
func.func @ops(%a: i64, %b: i64) -> i64 {
  // CHECK: %[[SEVEN:.*]] = tally.constant 7
  %seven = tally.constant 7
  // CHECK: %[[SUM:.*]] = tally.add %[[A]], %[[SEVEN]]
  %sum = tally.add %a, %seven
  // CHECK: %[[THRICE:.*]] = tally.repeat %[[SUM]] times 3
  %thrice = tally.repeat %sum times 3
  // CHECK: tally.larger %[[THRICE]], %[[B]]
  %larger = tally.larger %thrice, %b
  return %larger : i64
}
