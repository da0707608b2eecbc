// Looks at what the build made, as a browser would meet it.
import assert from 'node:assert/strict'
import { readdir, readFile, stat } from 'node:fs/promises'
import { test } from 'node:test'

const dist = new URL('../../dist/', import.meta.url)
const page = await readFile(new URL('index.html', dist), 'utf8')
const links = [...page.matchAll(/(?:src|href)="\/([^"]+)"/g)].map((match) => match[1])

test('the page names a script and a style sheet', () => {
  assert.ok(links.some((link) => link.endsWith('.js')))
  assert.ok(links.some((link) => link.endsWith('.css')))
})

test('all that the page names is there', async () => {
  for (const link of links) assert.ok((await stat(new URL(link, dist))).size > 0, link)
})

test('all assets carry a digest in their names, so that browsers may keep them for ever', async () => {
  for (const name of await readdir(new URL('assets/', dist))) {
    assert.match(name, /-[\w-]{8}\.(js|css)$/)
    assert.ok(links.includes(`assets/${name}`), `${name} is not used`)
  }
})

test('the page loads nothing from elsewhere', () => {
  assert.doesNotMatch(page, /(src|href)="(https?:)?\/\//)
})

test('the script is small', async () => {
  for (const link of links.filter((link) => link.endsWith('.js'))) {
    assert.ok((await stat(new URL(link, dist))).size < 30_000, link)
  }
})
