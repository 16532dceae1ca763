// Writes every file of the built page that shrinks a second time, as `<name>.br`: the gateway sends that to whoever
// takes it. A browser downloads a seventh less than by gzip, and the best packing takes too long for a request.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { brotliCompressSync } from 'node:zlib'

const page = new URL('../../src/build_gateway/page/', import.meta.url)
const SHRINKS = /\.(html|js|css|svg|json|txt)$/

for (const name of readdirSync(page, { recursive: true })) {
  if (!SHRINKS.test(name)) continue
  const file = new URL(name, page)
  writeFileSync(`${file.pathname}.br`, brotliCompressSync(readFileSync(file)))
}
