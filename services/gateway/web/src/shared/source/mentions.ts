/** Mentions: the places `file:line` that a line of text names, as compilers, CMake and Python write them. */

export interface Mention {
  /** Where in the text it stands. */
  from: number
  until: number
  file: string
  line: number
}

/** Only so much of a line is looked at: places stand early, and lines may be very long. */
const LOOKED_AT = 2000

// A path begins where no path goes on, so each run of characters is tried once: linear for any line.
const EXTENSION =
  '(?:c|cc|cpp|cxx|cu|cuh|h|hh|hpp|hxx|inc|inl|def|td|mlir|ll|s|S|m|mm|py|pyi|rs|go|cmake|txt|bzl|bazel|toml|json|yaml|yml|sh)'
const PLACE = new RegExp(
  `(?<![\\w/.+@-])([\\w.+@/-]+\\.${EXTENSION})(?::(\\d{1,7})(?!\\d)(?::\\d{1,5})?|\\((\\d{1,7})(?:,\\d{1,5})?\\))`,
  'g',
)
const PYTHON = /File "([^"]{1,500})", line (\d{1,7})/g

export function mentionsIn(text: string): Mention[] {
  const looked = text.slice(0, LOOKED_AT)
  const found: Mention[] = []
  // Most lines name no place: rule them out before the expensive search.
  if (/[\w][:(]\d/.test(looked)) {
    for (const match of looked.matchAll(PLACE)) found.push(mentionOf(match, match[1], match[2] ?? match[3]))
  }
  if (looked.includes('File "')) {
    for (const match of looked.matchAll(PYTHON)) found.push(mentionOf(match, match[1], match[2]))
  }
  return found
}

function mentionOf(match: RegExpExecArray, file = '', line = ''): Mention {
  return { from: match.index, until: match.index + match[0].length, file, line: Number(line) }
}
