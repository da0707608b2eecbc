// Command index turns a folder of text and Markdown files into an index file,
// and answers queries from it on the command line.
package main

import (
	"bufio"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"sort"
	"strings"
	"sync"

	"corpus/libs/search"
)

// The version that people know; the api worker has the linker stamp it instead.
//
//go:embed VERSION
var version string

const usage = `usage:
  index build -o FILE DIR        index the .txt and .md files below DIR
  index query -i FILE WORDS...   print the documents that fit best
  index stats -i FILE            print what the index holds
  index --version
`

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprint(os.Stderr, usage)
			os.Exit(2)
		}
		fmt.Fprintln(os.Stderr, "index:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	if len(args) == 0 {
		return flag.ErrHelp
	}
	flags := flag.NewFlagSet(args[0], flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	switch args[0] {
	case "--version", "version":
		fmt.Fprintf(out, "index %s %s/%s\n", strings.TrimSpace(version), runtime.GOOS, runtime.GOARCH)
		return nil
	case "build":
		file := flags.String("o", "index.json", "")
		if err := flags.Parse(args[1:]); err != nil || flags.NArg() != 1 {
			return flag.ErrHelp
		}
		ix, err := build(os.DirFS(flags.Arg(0)))
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%d documents, %d terms\n", len(ix.Docs), len(ix.Postings))
		return save(ix, *file)
	case "query":
		file := flags.String("i", "index.json", "")
		limit := flags.Int("n", 10, "")
		if err := flags.Parse(args[1:]); err != nil || flags.NArg() == 0 {
			return flag.ErrHelp
		}
		ix, err := load(*file)
		if err != nil {
			return err
		}
		for _, hit := range ix.Search(strings.Join(flags.Args(), " "), *limit) {
			fmt.Fprintf(out, "%7.3f  %s  %s\n", hit.Score, hit.Path, hit.Title)
		}
		return nil
	case "stats":
		file := flags.String("i", "index.json", "")
		if err := flags.Parse(args[1:]); err != nil || flags.NArg() != 0 {
			return flag.ErrHelp
		}
		ix, err := load(*file)
		if err != nil {
			return err
		}
		stats(ix, out)
		return nil
	}
	return flag.ErrHelp
}

// text is a document that has been read but not yet indexed.
type text struct {
	path, title, body string
	err               error
}

// build reads the documents of a tree on all processors and indexes them in the
// order of their paths, so that the same tree always gives the same index.
func build(tree fs.FS) (*search.Index, error) {
	var paths []string
	err := fs.WalkDir(tree, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if ext := path.Ext(name); entry.Type().IsRegular() && (ext == ".txt" || ext == ".md") {
			paths = append(paths, name)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	sort.Strings(paths)

	texts := make([]text, len(paths))
	next := make(chan int)
	var readers sync.WaitGroup
	for range runtime.NumCPU() {
		readers.Add(1)
		go func() {
			defer readers.Done()
			for i := range next {
				texts[i] = read(tree, paths[i])
			}
		}()
	}
	for i := range paths {
		next <- i
	}
	close(next)
	readers.Wait()

	ix := search.New()
	for _, t := range texts {
		if t.err != nil {
			return nil, t.err
		}
		ix.Add(t.path, t.title, t.body)
	}
	return ix, nil
}

// read takes the first line that is not empty as the title, without the marks
// of a Markdown heading; a document without one is called by its file name.
func read(tree fs.FS, name string) text {
	data, err := fs.ReadFile(tree, name)
	if err != nil {
		return text{err: err}
	}
	title, body, _ := strings.Cut(strings.TrimSpace(string(data)), "\n")
	title = strings.TrimSpace(strings.TrimLeft(title, "#"))
	if title == "" {
		title = strings.TrimSuffix(path.Base(name), path.Ext(name))
	}
	return text{path: name, title: title, body: body}
}

func stats(ix *search.Index, out io.Writer) {
	terms := make([]string, 0, len(ix.Postings))
	for term := range ix.Postings {
		terms = append(terms, term)
	}
	sort.Slice(terms, func(i, j int) bool {
		a, b := len(ix.Postings[terms[i]]), len(ix.Postings[terms[j]])
		return a > b || a == b && terms[i] < terms[j]
	})
	fmt.Fprintf(out, "documents %d\nterms     %d\n", len(ix.Docs), len(terms))
	for _, term := range terms[:min(5, len(terms))] {
		fmt.Fprintf(out, "%9d  %s\n", len(ix.Postings[term]), term)
	}
}

func load(file string) (*search.Index, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return search.Read(bufio.NewReader(f))
}

// save writes beside the file and renames, so that an api worker that reads it
// at this moment sees the old index or the new one, and never half of it.
func save(ix *search.Index, file string) error {
	tmp, err := os.CreateTemp(filepath.Dir(file), ".index-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	w := bufio.NewWriter(tmp)
	if err := errors.Join(ix.Write(w), w.Flush(), tmp.Chmod(0o644), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), file)
}
