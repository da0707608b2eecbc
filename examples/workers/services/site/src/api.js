/** Asks the api worker. Rejects with a message that can be shown to a person. */
export async function search(query, { limit = 20, signal, fetch = globalThis.fetch } = {}) {
  const parameters = new URLSearchParams({ q: query, limit })
  const response = await fetch(`/api/search?${parameters}`, { signal })
  const body = await response.json().catch(() => null)
  if (!response.ok || body === null) {
    throw new Error(body?.error ?? `The server answered with status ${response.status}`)
  }
  return body
}
