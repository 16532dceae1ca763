import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { readSchema, WIRE_FILE, wireTypes } from '../scripts/wire.mjs'

test("the page's types are the protocol's; `npm run wire` brings them up to date", async () => {
  expect(readFileSync(WIRE_FILE, 'utf8')).toBe(await wireTypes(readSchema()))
}, 30_000)
