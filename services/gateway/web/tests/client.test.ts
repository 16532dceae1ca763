import { expect, test } from 'vitest'
import { errorOf, linesOf } from '@/shared/api/client'

const sentenceOf = async (status: number, body: string) => (await errorOf(new Response(body, { status }))).message

test.each([
  [409, 'ada is the last admin: make another one first'],
  [409, 'this build already succeeded: nothing to cancel'],
  [413, 'the body is longer than 1 MiB'],
  [422, 'body.name: String should match pattern'],
  [429, 'too many failed logins: wait, then try again'],
  [503, 'accounts: the store does not answer'],
])('a refusal with %i is shown in the sentence of the server', async (status, detail) => {
  const error = await errorOf(new Response(JSON.stringify({ title: 'No', status, detail }), { status }))

  expect(error.message).toBe(detail)
  expect(error.status).toBe(status)
})

test('an answer without a sentence is shown by its title, or by its number', async () => {
  expect(await sentenceOf(503, '{"title": "Service Unavailable", "detail": null}')).toBe('Service Unavailable')
  expect(await sentenceOf(503, '{"title": "Service Unavailable", "detail": ""}')).toBe('Service Unavailable')
  for (const body of ['', 'null', '"no"', '[]', '{"detail": [{"loc": []}]}', '<html>Bad gateway</html>']) {
    expect(await sentenceOf(502, body)).toBe('answered with 502')
  }
})

test('what to do comes with the refusal, where the server says so', async () => {
  const remedy = async (body: unknown) => (await errorOf(new Response(JSON.stringify(body), { status: 409 }))).remedy

  expect(await remedy({ detail: 'no', remedy: 'Decide again.' })).toBe('Decide again.')
  expect(await remedy({ detail: 'no' })).toBeUndefined()
  expect(await remedy({ detail: 'no', remedy: 7 })).toBeUndefined()
})

const streamOf = (...chunks: Uint8Array[]) =>
  new ReadableStream<Uint8Array>({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk)
      controller.close()
    },
  })

test('lines come whole, however they are cut, and one without its end is none', async () => {
  const bytes = new TextEncoder().encode('{"a":"naïve ☃"}\n{"b":2}\n{"cut":')

  for (const size of [1, 3, 1000]) {
    const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) =>
      bytes.slice(at * size, (at + 1) * size),
    )
    const lines: string[] = []
    for await (const line of linesOf(streamOf(...chunks))) lines.push(line)
    expect(lines).toEqual(['{"a":"naïve ☃"}', '{"b":2}'])
  }
})

test('who stops reading ends the answer', async () => {
  let isCancelled = false
  const body = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(new TextEncoder().encode('1\n')),
    cancel: () => {
      isCancelled = true
    },
  })

  for await (const line of linesOf(body)) if (line === '1') break

  expect(isCancelled).toBe(true)
})
