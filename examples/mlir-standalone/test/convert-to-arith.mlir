// RUN: tally-opt --convert-tally-to-arith %s | FileCheck %s --implicit-check-not=tally.

// CHECK-LABEL: func @everything
// CHECK-SAME: (%[[A:.*]]: i64, %[[B:.*]]: i64)
func.func @everything(%a: i64, %b: i64) -> i64 {
  // CHECK: %[[SEVEN:.*]] = arith.constant 7 : i64
  %seven = tally.constant 7
  // CHECK: %[[SUM:.*]] = arith.addi %[[A]], %[[SEVEN]] : i64
  %sum = tally.add %a, %seven
  // CHECK: %[[THREE:.*]] = arith.constant 3 : i64
  // CHECK: %[[THRICE:.*]] = arith.muli %[[SUM]], %[[THREE]] : i64
  %thrice = tally.repeat %sum times 3
  // CHECK: %[[MAX:.*]] = arith.maxsi %[[THRICE]], %[[B]] : i64
  %larger = tally.larger %thrice, %b
  // CHECK: return %[[MAX]]
  return %larger : i64
}
