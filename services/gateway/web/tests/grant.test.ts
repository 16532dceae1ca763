import { expect, test } from 'vitest'
import { codeOf, grantFrom } from '@/features/account/grant'

const SHA256 = '0a1b2c3d' + '4'.repeat(56)
const link = (changes: Record<string, string> = {}) =>
  `#${new URLSearchParams({ id: 'Abcd1234', sha256: SHA256, name: 'login on x', level: 'write', days: '90', ...changes })}`

test('a whole link asks for one token, and shows the code that the program shows', () => {
  const asked = grantFrom(link())

  expect(asked).toEqual({
    id: 'Abcd1234',
    sha256: SHA256,
    name: 'login on x',
    level: 'write',
    expiresInSeconds: 90 * 86_400,
  })
  expect(asked && codeOf(asked)).toBe('0A1B-2C3D')
})

test('a link that is cut or changed asks for nothing', () => {
  expect(grantFrom('')).toBeUndefined()
  expect(grantFrom(link().slice(0, -12))).toBeUndefined()
  const odd = { id: 'x', sha256: SHA256.slice(1), name: '', level: 'root', days: '-1' }
  for (const [part, value] of Object.entries(odd)) expect(grantFrom(link({ [part]: value }))).toBeUndefined()
})
