import { useEffect, useState } from 'preact/hooks'
import { search } from './api.js'
import { marked } from './mark.js'
import { readQuery, writeQuery } from './query.js'

const PAUSE = 150 // ms without a key press before the api is asked

export function App() {
  const [query, setQuery] = useState(() => readQuery(location.search))
  const [answer, setAnswer] = useState({ hits: [] })

  useEffect(() => {
    history.replaceState(null, '', writeQuery(location.pathname, query))
    if (!query.trim()) {
      setAnswer({ hits: [] })
      return
    }
    const request = new AbortController()
    const timer = setTimeout(async () => {
      try {
        setAnswer(await search(query, { signal: request.signal }))
      } catch (error) {
        if (error.name !== 'AbortError') setAnswer({ hits: [], error: error.message })
      }
    }, PAUSE)
    return () => {
      clearTimeout(timer)
      request.abort()
    }
  }, [query])

  return (
    <>
      <h1>Corpus</h1>
      <input
        type="search"
        placeholder="Search the documents"
        aria-label="Search the documents"
        value={query}
        onInput={(event) => setQuery(event.currentTarget.value)}
        autofocus
      />
      <Answer query={query} {...answer} />
    </>
  )
}

function Answer({ query, hits, error, micros }) {
  if (error) return <p class="error">{error}</p>
  if (micros === undefined) return null
  if (hits.length === 0) return <p>Nothing found.</p>
  return (
    <>
      <ol>
        {hits.map((hit) => (
          <li key={hit.doc}>
            <strong>
              {marked(hit.title, query).map((part) => (part.hit ? <mark>{part.text}</mark> : part.text))}
            </strong>
            <span class="path">{hit.path}</span>
          </li>
        ))}
      </ol>
      <p class="path">{(micros / 1000).toFixed(1)} ms</p>
    </>
  )
}
