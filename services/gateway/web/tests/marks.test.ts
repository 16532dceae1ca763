import { expect, test } from 'vitest'
import { plainText } from '@/shared/format/ansi'
import { Marks, stripOf } from '@/features/build/log/model/marks'
import { SEARCHED, severityOf } from '@/features/build/log/model/severity'

test('the next and the previous mark are found from anywhere, in any order of arrival', () => {
  const marks = new Marks()
  for (const line of [500, 20, 900, 20]) marks.add('error', line)

  expect(marks.of('error')).toEqual([20, 500, 900])
  expect(marks.version).toBe(3)
  expect([0, 20, 21, 900].map((line) => marks.next('error', line, 1))).toEqual([20, 500, 500, undefined])
  expect([20, 500, 901].map((line) => marks.next('error', line, -1))).toEqual([undefined, 20, 900])
  expect(marks.next('warning', 1, 1)).toBeUndefined()
  expect([20, 21, 900].map((line) => marks.placeOf('error', line))).toEqual([1, 0, 3])
})

test('on the strip every mark shows, an error over warnings, the last line within it', () => {
  const marks = new Marks()
  for (let line = 1; line <= 1000; line++) marks.add('warning', line)
  marks.add('error', 500)
  marks.add('error', 2_000_000)
  const strip = stripOf(marks, 100, (line) => line / 2_000_000)

  expect(strip[0]).toBe('error')
  expect(strip[99]).toBe('error')
  expect(strip.filter((severity) => severity !== undefined)).toHaveLength(2)
})

test('marking and drawing tens of thousands of lines is a matter of milliseconds', () => {
  const marks = new Marks()
  const began = performance.now()
  for (let line = 1; line <= 50_000; line++) marks.add('warning', line * 40)
  stripOf(marks, 900, (line) => line / 2_000_000)

  expect(performance.now() - began).toBeLessThan(300)
})

test('what the server is asked for is what a row is coloured by, colours or none', () => {
  const lines = [
    ['a.cpp:1:2: error: x', 'error'],
    ['\x1b[1ma.cpp:1:2: \x1b[0m\x1b[0;1;31merror: \x1b[0mx', 'error'],
    ['\x1b[01m\x1b[Ka.cpp:1:2:\x1b[m\x1b[K \x1b[01;35m\x1b[Kwarning: \x1b[m\x1b[Kx', 'warning'],
    ['\x1b[31mFAILED: \x1b[0mlib/a.o', 'error'],
    ['CMake Warning at x', 'warning'],
    ['a.obj : fatal error LNK1120: 1 unresolved', 'error'],
    ['0 errors, error_handler.cpp.o', undefined],
  ] as const

  for (const [line, severity] of lines) {
    expect(severityOf(plainText(line)), line).toBe(severity)
    expect(new RegExp(SEARCHED.error).test(line), line).toBe(severity === 'error')
    expect(new RegExp(SEARCHED.warning).test(line), line).toBe(severity === 'warning')
  }
})
