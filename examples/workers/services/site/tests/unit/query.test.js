import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readQuery, writeQuery } from '../../src/query.js'

test('a query survives the way into the address and back', () => {
  for (const query of ['locks', 'a & b', '50%', 'größe', '']) {
    const address = writeQuery('/', query)
    assert.equal(readQuery(address.slice(1)), query)
  }
})

test('an empty query leaves the address alone', () => {
  assert.equal(writeQuery('/', '  '), '/')
})
