/** ANSI: turns a log line into styled spans of plain text. Colours are kept, every other escape is dropped. */

/** A colour: one of the 16 a theme names, or an exact one. */
type AnsiColour = number | string

export interface AnsiStyle {
  fg?: AnsiColour
  bg?: AnsiColour
  bold?: boolean
  dim?: boolean
  italic?: boolean
  underline?: boolean
  strike?: boolean
  inverse?: boolean
}

export interface AnsiSpan {
  text: string
  style: AnsiStyle
}

export interface AnsiLine {
  spans: AnsiSpan[]
  /** The style that the following line begins with. */
  after: AnsiStyle
}

export const PLAIN: AnsiStyle = Object.freeze({})

const TAB_COLUMNS = 8

// In order: CSI (parameters, final byte); OSC up to BEL, ST or the line's end; DCS, SOS, PM and APC likewise; any other
// escape; other control characters. Each alternative consumes without backtracking, so a hostile line costs linear time.
const ESCAPE =
  // eslint-disable-next-line no-control-regex -- control characters are what this module is about
  /\x1b\[([0-?]*)[ -/]*([@-~]?)|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[ -/]*[0-~]?|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f]/g

// Characters that reorder or hide what follows them ("trojan source"): shown by name, never obeyed.
const DECEIVING = /[\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g

/** The spans of a line whose first character has the style `before`. */
export function parseAnsi(line: string, before: AnsiStyle = PLAIN): AnsiLine {
  const spans: AnsiSpan[] = []
  let style = before
  let from = 0
  let column = 0
  const push = (text: string) => {
    if (text === '') return
    const shown = visible(text, column)
    column += shown.length
    const last = spans.at(-1)
    if (last !== undefined && last.style === style) last.text += shown
    else spans.push({ text: shown, style })
  }
  for (const match of line.matchAll(ESCAPE)) {
    push(line.slice(from, match.index))
    from = match.index + match[0].length
    if (match[2] === 'm') style = select(style, match[1] ?? '')
  }
  push(line.slice(from))
  return { spans, after: style }
}

/** The text of a line as a reader sees it. */
export function plainText(line: string): string {
  return parseAnsi(line)
    .spans.map((span) => span.text)
    .join('')
}

/** How much of a line is looked at for what kind of line it is: the words stand early, and lines may be very long. */
const LOOKED_AT = 600

/** The beginning of a line as a reader sees it. */
export function begunWith(line: string): string {
  const begin = line.length > LOOKED_AT ? line.slice(0, LOOKED_AT) : line
  return hasEscapes(begin) ? plainText(begin) : begin
}

/** Whether a line may change the style of those after it. */
export function hasEscapes(line: string): boolean {
  return line.includes('\x1b[')
}

function visible(text: string, column: number): string {
  let shown = text.replace(DECEIVING, (char) => `<U+${char.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}>`)
  for (let tab = shown.indexOf('\t'); tab !== -1; tab = shown.indexOf('\t', tab)) {
    const width = TAB_COLUMNS - ((column + tab) % TAB_COLUMNS)
    shown = shown.slice(0, tab) + ' '.repeat(width) + shown.slice(tab + 1)
  }
  return shown
}

const SWITCHES: Record<number, AnsiStyle> = {
  1: { bold: true },
  2: { dim: true },
  3: { italic: true },
  4: { underline: true },
  7: { inverse: true },
  9: { strike: true },
  22: { bold: undefined, dim: undefined },
  23: { italic: undefined },
  24: { underline: undefined },
  27: { inverse: undefined },
  29: { strike: undefined },
  39: { fg: undefined },
  49: { bg: undefined },
}

/** The style after "select graphic rendition" with these parameters. */
function select(style: AnsiStyle, parameters: string): AnsiStyle {
  // Both 38;5;n and 38:5:n are in use; 4:3 (a curly underline) reads as an underline.
  const codes = parameters.split(';').flatMap((part) => {
    const sub = part.split(':').map((code) => Number(code || 0))
    return sub[0] === 38 || sub[0] === 48 ? colonColour(sub) : sub.slice(0, 1)
  })
  let next = { ...style }
  for (let at = 0; at < codes.length; at++) {
    const code = codes[at] ?? 0
    if (code === 0) next = {}
    else if (code === 38 || code === 48) {
      const [colour, used] = extendedColour(codes.slice(at + 1))
      if (colour !== undefined) next[code === 38 ? 'fg' : 'bg'] = colour
      at += used
    } else if (code >= 30 && code <= 37) next.fg = code - 30
    else if (code >= 40 && code <= 47) next.bg = code - 40
    else if (code >= 90 && code <= 97) next.fg = code - 90 + 8
    else if (code >= 100 && code <= 107) next.bg = code - 100 + 8
    else Object.assign(next, SWITCHES[code])
  }
  return Object.values(next).every((value) => value === undefined) ? PLAIN : next
}

// 38:2::r:g:b carries a colour space between the mode and the colour; 38:2:r:g:b does not.
function colonColour(sub: number[]): number[] {
  return sub[1] === 2 && sub.length > 5 ? [sub[0] ?? 0, 2, ...sub.slice(3)] : sub
}

/** The colour after 38 or 48, and how many codes it took. */
function extendedColour(codes: number[]): [AnsiColour | undefined, number] {
  if (codes[0] === 5) {
    const index = clampByte(codes[1])
    return [index < 16 ? index : indexedColour(index), 2]
  }
  if (codes[0] === 2) return [rgb(clampByte(codes[1]), clampByte(codes[2]), clampByte(codes[3])), 4]
  return [undefined, 1]
}

function indexedColour(index: number): string {
  if (index >= 232) {
    const grey = 8 + (index - 232) * 10
    return rgb(grey, grey, grey)
  }
  const level = (step: number) => (step === 0 ? 0 : 55 + step * 40)
  const cube = index - 16
  return rgb(level(Math.floor(cube / 36)), level(Math.floor(cube / 6) % 6), level(cube % 6))
}

function rgb(red: number, green: number, blue: number): string {
  return `rgb(${red} ${green} ${blue})`
}

function clampByte(value: number | undefined): number {
  return Math.min(255, Math.max(0, value ?? 0))
}
