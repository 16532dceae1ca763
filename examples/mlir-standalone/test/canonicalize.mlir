// RUN: tally-opt --canonicalize %s | FileCheck %s

// CHECK-LABEL: func @known
func.func @known() -> i64 {
  %two = tally.constant 2
  %three = tally.constant 3
  %five = tally.add %two, %three
  %twenty = tally.repeat %five times 4
  %larger = tally.larger %twenty, %three
  // CHECK-NEXT: %[[C:.*]] = tally.constant 20
  // CHECK-NEXT: return %[[C]]
  return %larger : i64
}

// CHECK-LABEL: func @neutral
// CHECK-SAME: (%[[A:.*]]: i64)
func.func @neutral(%a: i64) -> i64 {
  %zero = tally.constant 0
  %sum = tally.add %zero, %a
  %once = tally.repeat %sum times 1
  %same = tally.larger %once, %once
  // CHECK-NEXT: return %[[A]]
  return %same : i64
}

// CHECK-LABEL: func @never
func.func @never(%a: i64) -> i64 {
  // CHECK-NEXT: tally.constant 0
  %none = tally.repeat %a times 0
  return %none : i64
}
