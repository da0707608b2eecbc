// Package search is the inverted index that the workers share: `index` writes
// it, `api` answers questions from it.
package search

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"sort"
)

// Format is the number of the file format; Read refuses any other.
const Format = 1

// Doc is a document as the index remembers it: not its text, only where it
// lies, what it is called and how many terms it has.
type Doc struct {
	Path  string `json:"path"`
	Title string `json:"title"`
	Terms int    `json:"terms"`
}

// Posting says how often a term occurs in one document.
type Posting struct {
	Doc   int `json:"doc"`
	Count int `json:"count"`
}

// Index maps terms to the documents they occur in.
type Index struct {
	Format   int                  `json:"format"`
	Docs     []Doc                `json:"docs"`
	Postings map[string][]Posting `json:"postings"`
}

// Hit is one answer to a query.
type Hit struct {
	Doc   int     `json:"doc"`
	Path  string  `json:"path"`
	Title string  `json:"title"`
	Score float64 `json:"score"`
}

// New returns an empty index.
func New() *Index {
	return &Index{Format: Format, Postings: map[string][]Posting{}}
}

// Add puts a document into the index and returns its number. The title counts
// as part of the text.
func (ix *Index) Add(path, title, text string) int {
	terms := Terms(title + "\n" + text)
	number := len(ix.Docs)
	ix.Docs = append(ix.Docs, Doc{Path: path, Title: title, Terms: len(terms)})

	counts := map[string]int{}
	for _, term := range terms {
		counts[term]++
	}
	for term, count := range counts {
		ix.Postings[term] = append(ix.Postings[term], Posting{Doc: number, Count: count})
	}
	return number
}

// Search returns the best documents for a query, best first, ranked by BM25.
// Every term of the query counts; a document need not contain them all.
func (ix *Index) Search(query string, limit int) []Hit {
	const k1, b = 1.2, 0.75

	var total int
	for _, doc := range ix.Docs {
		total += doc.Terms
	}
	average := float64(total) / math.Max(1, float64(len(ix.Docs)))

	scores := map[int]float64{}
	seen := map[string]bool{}
	for _, term := range Terms(query) {
		if seen[term] {
			continue
		}
		seen[term] = true
		postings := ix.Postings[term]
		n, found := float64(len(ix.Docs)), float64(len(postings))
		idf := math.Log(1 + (n-found+0.5)/(found+0.5))
		for _, p := range postings {
			count, length := float64(p.Count), float64(ix.Docs[p.Doc].Terms)
			scores[p.Doc] += idf * count * (k1 + 1) / (count + k1*(1-b+b*length/average))
		}
	}

	hits := make([]Hit, 0, len(scores))
	for number, score := range scores {
		doc := ix.Docs[number]
		hits = append(hits, Hit{Doc: number, Path: doc.Path, Title: doc.Title, Score: math.Round(score*1000) / 1000})
	}
	sort.Slice(hits, func(i, j int) bool {
		if hits[i].Score != hits[j].Score {
			return hits[i].Score > hits[j].Score
		}
		return hits[i].Path < hits[j].Path
	})
	if limit > 0 && len(hits) > limit {
		hits = hits[:limit]
	}
	return hits
}

// Write stores the index as JSON. The same documents give the same bytes:
// encoding/json sorts the terms.
func (ix *Index) Write(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(ix)
}

// Read loads an index that Write stored, and checks that it holds together.
func Read(r io.Reader) (*Index, error) {
	ix := New()
	if err := json.NewDecoder(r).Decode(ix); err != nil {
		return nil, fmt.Errorf("read index: %w", err)
	}
	if ix.Format != Format {
		return nil, fmt.Errorf("read index: format %d, want %d", ix.Format, Format)
	}
	for term, postings := range ix.Postings {
		for _, p := range postings {
			if p.Doc < 0 || p.Doc >= len(ix.Docs) {
				return nil, fmt.Errorf("read index: term %q names document %d of %d", term, p.Doc, len(ix.Docs))
			}
		}
	}
	return ix, nil
}
