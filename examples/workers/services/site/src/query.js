/** The query of the page is in its address, so that a search can be passed on as a link. */
export function readQuery(search) {
  return new URLSearchParams(search).get('q') ?? ''
}

export function writeQuery(path, query) {
  return query.trim() ? `${path}?${new URLSearchParams({ q: query })}` : path
}
