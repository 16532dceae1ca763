/** Build id: how people name a build by it; the twin of `build_protocol.ids`, held to it by the same examples. */

const ID_DIGITS = 32
const SHORT_DIGITS = 8
const LEAST_DIGITS = 6

export interface BuildName {
  digits: string
  /** The whole id, where the name is one. */
  id?: string
}

/** The name in what somebody typed: 6 or more digits of an id's beginning or end, or all; undefined where it is none. */
export function nameOf(text: string): BuildName | undefined {
  const digits = text.trim().replaceAll('-', '').toLowerCase()
  if (!/^[0-9a-f]+$/.test(digits) || digits.length < LEAST_DIGITS || digits.length > ID_DIGITS) return undefined
  return { digits, id: digits.length === ID_DIGITS ? dashed(digits) : undefined }
}

/** Whether a build answers to a name. */
export function answersTo(id: string, { digits }: BuildName): boolean {
  const all = id.replaceAll('-', '')
  return all.startsWith(digits) || all.endsWith(digits)
}

/** The id as people are shown it: its end, which differs where beginnings are the same. */
export function shortId(id: string): string {
  return id.slice(-SHORT_DIGITS)
}

/** Labels that distinguish several builds from each other. */
export function labelsOf(ids: readonly string[]): string[] {
  return ids.map((id) => (ids.filter((other) => shortId(other) === shortId(id)).length === 1 ? shortId(id) : id))
}

function dashed(digits: string): string {
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}
