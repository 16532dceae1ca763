/** Severity: which lines a reader looks for, by the words compilers and test runners put first. */

export type Severity = 'error' | 'warning'

const ERROR =
  /^FAILED:|(?:^|[\s:])(?:fatal )?error(?:\s?[A-Z]{1,4}\d+)?:|^CMake Error|\*\*\* \[|^FAIL: |undefined reference to|Assertion .* failed/
const WARNING = /(?:^|[\s:])warning(?:\s?[A-Z]{1,4}\d+)?:|^CMake (?:Deprecation )?Warning/

/** How much of a line is looked at: the words stand early, and lines may be very long. */
export const LOOKED_AT = 600

/** The severity of a line's beginning, escapes already taken out. */
export function severityOf(text: string): Severity | undefined {
  if (ERROR.test(text)) return 'error'
  return WARNING.test(text) ? 'warning' : undefined
}
