import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { REST_FILE, restTypes, WIRE_FILE, wireTypes } from '../scripts/wire.mjs'

const PYTHON_MS = 60_000

test(
  "the page's frames and views are the protocol's; `npm run wire` brings them up to date",
  { timeout: PYTHON_MS },
  async () => {
    expect(readFileSync(WIRE_FILE, 'utf8')).toBe(await wireTypes())
  },
)

test(
  "the page's REST models are the services'; `npm run wire` brings them up to date",
  { timeout: PYTHON_MS },
  async () => {
    expect(readFileSync(REST_FILE, 'utf8')).toBe(await restTypes())
  },
)
