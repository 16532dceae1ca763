import { expect, test } from 'vitest'
import { entriesOf } from '@/features/audit/entries'
import type { AuditEntries } from '@/shared/wire'

const page = (...numbers: number[]) =>
  ({ items: numbers.map((number) => ({ chain: 'c', number, at: 1, subject: `${number}` })) }) as AuditEntries

test('what two pages share is listed once, in the order of the pages', () => {
  expect(entriesOf([page(5, 4, 3), page(3, 2), page(2, 1)]).map(({ number }) => number)).toEqual([5, 4, 3, 2, 1])
})
