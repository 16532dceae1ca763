// Prints what the first page weighs on the wire and fails when it outgrows its budget.
import { statSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const BUDGET_KB = 230
const page = new URL('../../src/build_gateway/page/', import.meta.url)
const manifest = JSON.parse(readFileSync(new URL('.vite/manifest.json', page), 'utf8'))

const files = new Set()
collect(Object.values(manifest).find((chunk) => chunk.isEntry))

let total = 0
for (const file of files) total += statSync(new URL(`${file}.br`, page)).size
const kb = total / 1000
console.log(`first page: ${kb.toFixed(1)} kB by brotli of ${BUDGET_KB} kB (${files.size} files, fonts apart)`)
if (kb > BUDGET_KB) {
  console.error(`the first page is over its budget; load what it does not need later (${fileURLToPath(page)})`)
  process.exit(1)
}

/** The chunk, what it imports at once and its styles; lazily loaded chunks do not count. */
function collect(chunk) {
  if (files.has(chunk.file)) return
  files.add(chunk.file)
  for (const style of chunk.css ?? []) files.add(style)
  for (const name of chunk.imports ?? []) collect(manifest[name])
}
