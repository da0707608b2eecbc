/**
 * Splits a text into parts, so that the parts that match a word of the query can
 * be marked. A part matches where a word of the text begins with a word of the query.
 */
export function marked(text, query) {
  const words = query.match(/[\p{L}\p{N}]+/gu)
  if (!words) return [{ text, hit: false }]
  words.sort((a, b) => b.length - a.length)
  const pattern = new RegExp(`(?<![\\p{L}\\p{N}])(?:${words.join('|')})`, 'giu')

  const parts = []
  let end = 0
  for (const match of text.matchAll(pattern)) {
    if (match.index > end) parts.push({ text: text.slice(end, match.index), hit: false })
    parts.push({ text: match[0], hit: true })
    end = match.index + match[0].length
  }
  if (end < text.length) parts.push({ text: text.slice(end), hit: false })
  return parts
}
