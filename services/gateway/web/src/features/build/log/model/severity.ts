/** Severity: which lines a reader looks for, by the words compilers and test runners put first. */

export type Severity = 'error' | 'warning'

interface Borders {
  /** The beginning of a line. */
  start: string
  /** What may stand before `error:`. */
  before: string
}

const IN_TEXT: Borders = { start: '^', before: '(?:^|[\\s:])' }
/** The server looks at lines as they were printed, colours and all. */
const AS_PRINTED: Borders = { start: '^(?:\\x1b\\[[0-9;]*[mK])*', before: '(?:^|[\\s:]|\\x1b\\[[0-9;]*[mK])' }

const ERROR = new RegExp(errorPattern(IN_TEXT))
const WARNING = new RegExp(warningPattern(IN_TEXT))

/** The patterns by which the server finds lines of a severity; RE2 reads them too. */
export const SEARCHED: Record<Severity, string> = {
  error: errorPattern(AS_PRINTED),
  warning: warningPattern(AS_PRINTED),
}

/** The severity of a line's beginning, escapes already taken out. */
export function severityOf(text: string): Severity | undefined {
  if (ERROR.test(text)) return 'error'
  return WARNING.test(text) ? 'warning' : undefined
}

function errorPattern({ start, before }: Borders): string {
  const named = `${before}(?:fatal )?error(?:\\s?[A-Z]{1,4}\\d+)?:`
  const begun = `${start}(?:FAILED:|CMake Error|FAIL: )`
  return `${named}|${begun}|\\*\\*\\* \\[|undefined reference to|Assertion .* failed`
}

function warningPattern({ start, before }: Borders): string {
  return `${before}warning(?:\\s?[A-Z]{1,4}\\d+)?:|${start}CMake (?:Deprecation )?Warning`
}
