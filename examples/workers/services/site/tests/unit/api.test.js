import assert from 'node:assert/strict'
import { test } from 'node:test'
import { search } from '../../src/api.js'

const answering = (body, status = 200) => async (url) => {
  answering.url = url
  return new Response(body, { status })
}

test('the query is escaped', async () => {
  const fetch = answering('{"hits": []}')
  assert.deepEqual(await search('locks & gates', { fetch }), { hits: [] })
  assert.equal(answering.url, '/api/search?q=locks+%26+gates&limit=20')
})

test('an error of the api is shown in its own words', async () => {
  const fetch = answering('{"error": "the parameter q is missing"}', 400)
  await assert.rejects(search('', { fetch }), { message: 'the parameter q is missing' })
})

test('anything else is shown by its status', async () => {
  await assert.rejects(search('x', { fetch: answering('<h1>Bad gateway</h1>', 502) }), /status 502/)
})
