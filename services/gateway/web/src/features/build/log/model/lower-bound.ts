/** Lower bound: where a number stands, or would, among ascending ones. */

/** How many of the ascending numbers are smaller than `value`. */
export function lowerBound(numbers: readonly number[], value: number): number {
  // Lines mostly come in order.
  if ((numbers.at(-1) ?? -Infinity) < value) return numbers.length
  let low = 0
  let high = numbers.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((numbers[middle] ?? 0) < value) low = middle + 1
    else high = middle
  }
  return low
}
