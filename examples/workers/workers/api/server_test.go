package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"corpus/libs/search"
)

func writeIndex(t *testing.T, file string, titles ...string) {
	t.Helper()
	index := search.New()
	for _, title := range titles {
		index.Add(title+".txt", title, "A text about "+title+".")
	}
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := index.Write(f); err != nil {
		t.Fatal(err)
	}
}

func newServer(t *testing.T) *server {
	t.Helper()
	s := &server{file: filepath.Join(t.TempDir(), "index.json"), log: slog.New(slog.DiscardHandler)}
	writeIndex(t, s.file, "Signals", "Locks", "Bridges")
	if err := s.load(); err != nil {
		t.Fatal(err)
	}
	return s
}

func get(t *testing.T, s *server, url string, status int, body any) {
	t.Helper()
	rec := httptest.NewRecorder()
	s.handler().ServeHTTP(rec, httptest.NewRequest("GET", url, nil))
	if rec.Code != status {
		t.Fatalf("GET %s: status %d, want %d: %s", url, rec.Code, status, rec.Body)
	}
	if body != nil {
		if err := json.Unmarshal(rec.Body.Bytes(), body); err != nil {
			t.Fatalf("GET %s: %v", url, err)
		}
	}
}

func TestSearch(t *testing.T) {
	s := newServer(t)
	var answer struct {
		Query string
		Hits  []search.Hit
	}
	get(t, s, "/api/search?q=locks", http.StatusOK, &answer)
	if answer.Query != "locks" || len(answer.Hits) != 1 || answer.Hits[0].Title != "Locks" {
		t.Errorf("got %+v", answer)
	}
	get(t, s, "/api/search?q=text&limit=2", http.StatusOK, &answer)
	if len(answer.Hits) != 2 {
		t.Errorf("limit=2 gave %d hits", len(answer.Hits))
	}
	get(t, s, "/api/search?q=nothing+like+it", http.StatusOK, &answer)
	if answer.Hits == nil || len(answer.Hits) != 0 {
		t.Errorf("no hits should be an empty list, got %v", answer.Hits)
	}
}

func TestBadRequests(t *testing.T) {
	s := newServer(t)
	for url, status := range map[string]int{
		"/api/search":               http.StatusBadRequest,
		"/api/search?q=x&limit=0":   http.StatusBadRequest,
		"/api/search?q=x&limit=101": http.StatusBadRequest,
		"/api/search?q=x&limit=ten": http.StatusBadRequest,
		"/api/docs/3":               http.StatusNotFound,
		"/api/docs/-1":              http.StatusNotFound,
		"/api/nothing":              http.StatusNotFound,
	} {
		get(t, s, url, status, nil)
	}
}

func TestHealthAndDocs(t *testing.T) {
	s := newServer(t)
	var health struct {
		Version string
		Docs    int
	}
	get(t, s, "/api/health", http.StatusOK, &health)
	if health.Version != version || health.Docs != 3 {
		t.Errorf("got %+v", health)
	}
	var doc search.Doc
	get(t, s, "/api/docs/2", http.StatusOK, &doc)
	if doc.Title != "Bridges" {
		t.Errorf("got %+v", doc)
	}
}

func TestReload(t *testing.T) {
	s := newServer(t)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go s.reload(ctx, time.Millisecond)

	writeIndex(t, s.file, "Signals")
	if err := os.Chtimes(s.file, time.Time{}, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(10 * time.Second)
	for len(s.current.Load().index.Docs) != 1 {
		if time.Now().After(deadline) {
			t.Fatal("the new index was not loaded")
		}
		time.Sleep(time.Millisecond)
	}
}
