import { expect, test } from 'vitest'
import { parseAnsi, plainText } from '@/shared/format/ansi'

const styleOf = (codes: string) => parseAnsi(`\x1b[${codes}mx`).spans[0]?.style

test('colours and weights become styles, and a reset ends them', () => {
  const { spans } = parseAnsi('a\x1b[1;31merror:\x1b[0m b')

  expect(spans).toEqual([
    { text: 'a', style: {} },
    { text: 'error:', style: { bold: true, fg: 1 } },
    { text: ' b', style: {} },
  ])
})

test('bright, indexed and exact colours are understood in both spellings', () => {
  expect(styleOf('91')).toEqual({ fg: 9 })
  expect(styleOf('104')).toEqual({ bg: 12 })
  expect(styleOf('38;5;3')).toEqual({ fg: 3 })
  expect(styleOf('38;5;208')).toEqual({ fg: 'rgb(255 135 0)' })
  expect(styleOf('38:5:208')).toEqual({ fg: 'rgb(255 135 0)' })
  expect(styleOf('48;2;1;2;3;4')).toEqual({ bg: 'rgb(1 2 3)', underline: true })
  expect(styleOf('38:2::1:2:3')).toEqual({ fg: 'rgb(1 2 3)' })
  expect(styleOf('4:3')).toEqual({ underline: true })
})

test('escapes other than colours leave no trace', () => {
  const noise =
    '\x1b]0;title\x07a\x1b[2Kb\x1b[12;3Hc\x1b(Bd\x1bPq data\x1b\\e\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\\x00\x08f\x9b'

  expect(plainText(noise)).toBe('abcdelinkf')
})

test('an escape that is cut off is dropped to the end of the line', () => {
  expect(plainText('kept\x1b]0;never ends')).toBe('kept')
  expect(plainText('kept\x1b[31')).toBe('kept')
  expect(plainText('kept\x1b')).toBe('kept')
})

test('markup stays text', () => {
  expect(parseAnsi('<img src=x onerror=alert(1)>').spans).toEqual([{ text: '<img src=x onerror=alert(1)>', style: {} }])
})

test('characters that reorder text are shown by name', () => {
  expect(plainText('if (a\u202e) {')).toBe('if (a<U+202E>) {')
})

test('tabs stop at every eighth column, counted across colours', () => {
  expect(plainText('ab\t\x1b[31mc\td')).toBe('ab      c       d')
})

test('a hostile line takes linear time', () => {
  const started = performance.now()
  parseAnsi('\x1b]'.repeat(50_000) + '\x1b['.repeat(50_000) + '\x1b[38;5;'.repeat(20_000))

  expect(performance.now() - started).toBeLessThan(1000)
})
