import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { answersTo, labelsOf, nameOf, shortId } from '@/shared/format/build-id'

interface Examples {
  build: string
  short: string
  names: { text: string; whole: boolean }[]
  others: { text: string; whole: boolean }[]
  refused: { text: string }[]
}

/** Those that the rule in Python is tested by. */
const PLACE = new URL('../../../../libs/protocol/tests/build_names.json', import.meta.url)
const { build, short, names, others, refused } = JSON.parse(readFileSync(PLACE, 'utf8')) as Examples

test.each(names)('$text names the build', ({ text, whole }) => {
  const name = nameOf(text)

  expect(name).toBeDefined()
  expect(answersTo(build, name!)).toBe(true)
  expect(name!.id).toBe(whole ? build : undefined)
})

test.each(others)('$text names another build', ({ text, whole }) => {
  const name = nameOf(text)

  expect(answersTo(build, name!)).toBe(false)
  expect(name!.id !== undefined).toBe(whole)
})

test.each(refused)('$text can name no build', ({ text }) => {
  expect(nameOf(text)).toBeUndefined()
})

test('what is shown of an id names its build', () => {
  expect(shortId(build)).toBe(short)
  expect(answersTo(build, nameOf(shortId(build))!)).toBe(true)
})

test('of several builds each is shown by what distinguishes it from the others', () => {
  const twin = build.replace('0190', '0191')

  expect(labelsOf([build, '0190ab34-5678-7abc-8def-00000000ffff'])).toEqual([short, '0000ffff'])
  expect(labelsOf([build, twin])).toEqual([build, twin])
})
