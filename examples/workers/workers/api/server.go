package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"corpus/libs/search"
)

const (
	defaultLimit = 10
	maxLimit     = 100
)

// server holds the index that is being served. Requests take the pointer once
// and keep their index even if a newer one is loaded meanwhile.
type server struct {
	file    string
	static  string
	log     *slog.Logger
	current atomic.Pointer[loaded]
}

type loaded struct {
	index    *search.Index
	modified time.Time
}

func (s *server) load() error {
	f, err := os.Open(s.file)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	index, err := search.Read(bufio.NewReader(f))
	if err != nil {
		return fmt.Errorf("%s: %w", s.file, err)
	}
	s.current.Store(&loaded{index, info.ModTime()})
	return nil
}

// reload picks up a new index file when there is one. A file that cannot be read is
// reported once for each change, and the old index stays.
func (s *server) reload(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	seen := s.current.Load().modified
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		info, err := os.Stat(s.file)
		if err != nil || info.ModTime().Equal(seen) {
			continue
		}
		seen = info.ModTime()
		if err := s.load(); err != nil {
			s.log.Error("reload", "err", err)
			continue
		}
		s.log.Info("reloaded", "docs", len(s.current.Load().index.Docs))
	}
}

func (s *server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/health", s.health)
	mux.HandleFunc("GET /api/search", s.search)
	mux.HandleFunc("GET /api/docs/{doc}", s.doc)
	if s.static != "" {
		mux.Handle("GET /", http.FileServer(http.Dir(s.static)))
	}
	return s.logged(mux)
}

func (s *server) health(w http.ResponseWriter, _ *http.Request) {
	index := s.current.Load().index
	reply(w, http.StatusOK, map[string]any{
		"version": version, "commit": commit,
		"docs": len(index.Docs), "terms": len(index.Postings),
	})
}

func (s *server) search(w http.ResponseWriter, r *http.Request) {
	query := r.FormValue("q")
	if query == "" {
		fail(w, http.StatusBadRequest, "the parameter q is missing")
		return
	}
	limit := defaultLimit
	if text := r.FormValue("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxLimit {
			fail(w, http.StatusBadRequest, fmt.Sprintf("limit must be a number from 1 to %d", maxLimit))
			return
		}
		limit = n
	}
	started := time.Now()
	hits := s.current.Load().index.Search(query, limit)
	reply(w, http.StatusOK, map[string]any{
		"query": query, "hits": hits, "micros": time.Since(started).Microseconds(),
	})
}

func (s *server) doc(w http.ResponseWriter, r *http.Request) {
	docs := s.current.Load().index.Docs
	number, err := strconv.Atoi(r.PathValue("doc"))
	if err != nil || number < 0 || number >= len(docs) {
		fail(w, http.StatusNotFound, "no such document")
		return
	}
	reply(w, http.StatusOK, docs[number])
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client may be gone
}

func fail(w http.ResponseWriter, status int, message string) {
	reply(w, status, map[string]string{"error": message})
}

// statusWriter remembers the status of a response for the log.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (s *server) logged(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		started := time.Now()
		sw := &statusWriter{w, http.StatusOK}
		next.ServeHTTP(sw, r)
		s.log.Info("request", "method", r.Method, "path", r.URL.Path, "status", sw.status,
			"took", time.Since(started).Round(time.Microsecond))
	})
}
