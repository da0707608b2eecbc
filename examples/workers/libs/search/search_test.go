package search

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

func TestTerms(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", ""},
		{"The quick, brown fox", "quick brown fox"},
		{"Queries and boxes; glasses, churches", "query box glass church"},
		{"the worker's status is 'ok'", "worker status ok"},
		{"Größe: 42 Äpfel", "größe 42 äpfel"},
		{"bus class this", "bus class"},
	} {
		if got := strings.Join(Terms(c.text), " "); got != c.want {
			t.Errorf("Terms(%q) = %q, want %q", c.text, got, c.want)
		}
	}
}

func sample() *Index {
	ix := New()
	ix.Add("a.txt", "Queues", "A queue hands work to workers. Queues keep order.")
	ix.Add("b.txt", "Caches", "A cache keeps results so that work is done once.")
	ix.Add("c.txt", "Logs", "Logs say what happened, and when.")
	return ix
}

func paths(hits []Hit) []string {
	var out []string
	for _, hit := range hits {
		out = append(out, hit.Path)
	}
	return out
}

func TestSearchRanks(t *testing.T) {
	ix := sample()
	for _, c := range []struct {
		query string
		limit int
		want  []string
	}{
		{"queue", 0, []string{"a.txt"}},
		{"work", 0, []string{"a.txt", "b.txt"}},
		{"work cache", 0, []string{"b.txt", "a.txt"}},
		{"work cache", 1, []string{"b.txt"}},
		{"the", 0, nil},
		{"unheard", 0, nil},
	} {
		if got := paths(ix.Search(c.query, c.limit)); !slices.Equal(got, c.want) {
			t.Errorf("Search(%q, %d) = %v, want %v", c.query, c.limit, got, c.want)
		}
	}
	if hits := New().Search("anything", 0); len(hits) != 0 {
		t.Errorf("an empty index found %v", hits)
	}
}

func TestWriteAndRead(t *testing.T) {
	var first, second bytes.Buffer
	if err := sample().Write(&first); err != nil {
		t.Fatal(err)
	}
	ix, err := Read(bytes.NewReader(first.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	if err := ix.Write(&second); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Error("an index that was read and written again has other bytes")
	}
}

func TestReadRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"not JSON":     "format: 1",
		"format":       `{"format": 99}`,
		"lost posting": `{"format": 1, "docs": [], "postings": {"x": [{"doc": 3, "count": 1}]}}`,
	} {
		if _, err := Read(strings.NewReader(text)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
