import assert from 'node:assert/strict'
import { test } from 'node:test'
import { marked } from '../../src/mark.js'

const show = (text, query) =>
  marked(text, query)
    .map((part) => (part.hit ? `[${part.text}]` : part.text))
    .join('')

for (const [text, query, want] of [
  ['Signal boxes', 'box', 'Signal [box]es'],
  ['Signal boxes', 'signal BOX', '[Signal] [box]es'],
  ['Mailbox', 'box', 'Mailbox'],
  ['Größe', 'größ', '[Größ]e'],
  ['Timetables', 'time timetable', '[Timetable]s'],
  ['C++ (notes)', '(', 'C++ (notes)'],
  ['Locks', '', 'Locks'],
  ['', 'locks', ''],
]) {
  test(`"${query}" in "${text}"`, () => assert.equal(show(text, query), want))
}
