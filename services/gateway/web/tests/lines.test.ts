import { expect, test } from 'vitest'
import { parseRange, rangeHash } from '@/shared/format/line-range'
import { severityOf } from '@/features/build/log/model/severity'

test('line links survive a round trip, whichever end was picked first', () => {
  expect(parseRange('#L120')).toEqual({ first: 120, last: 120 })
  expect(parseRange('#L140-L120')).toEqual({ first: 120, last: 140 })
  expect(parseRange('#L0')).toBeUndefined()
  expect(parseRange('#other')).toBeUndefined()
  expect(rangeHash({ first: 120, last: 140 })).toBe('#L120-L140')
})

test('lines a reader looks for are distinguished from lines that merely mention errors', () => {
  expect(severityOf("a.cpp:1:2: error: no member 'x'")).toBe('error')
  expect(severityOf('FAILED: lib/a.o')).toBe('error')
  expect(severityOf('cl : Command line warning D9025: overriding')).toBe('warning')
  expect(severityOf('[1/9] Building CXX object ErrorHandling.cpp.o')).toBeUndefined()
})
