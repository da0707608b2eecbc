package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestBuildAndQuery(t *testing.T) {
	file := filepath.Join(t.TempDir(), "index.json")
	var out strings.Builder
	if err := run([]string{"build", "-o", file, "testdata/docs"}, &out); err != nil {
		t.Fatal(err)
	}
	if want := "3 documents, "; !strings.HasPrefix(out.String(), want) {
		t.Errorf("build printed %q, want %q", out.String(), want)
	}

	out.Reset()
	if err := run([]string{"query", "-i", file, "signal", "boxes"}, &out); err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(out.String(), "\n")
	if want := "rail/signals.md  Signal boxes"; !strings.HasSuffix(first, want) {
		t.Errorf("the best hit is %q, want %q", first, want)
	}

	out.Reset()
	if err := run([]string{"stats", "-i", file}, &out); err != nil {
		t.Fatal(err)
	}
	if want := "documents 3\n"; !strings.HasPrefix(out.String(), want) {
		t.Errorf("stats printed %q, want %q", out.String(), want)
	}
}

func TestSameTreeSameBytes(t *testing.T) {
	var indexes [2]string
	for i := range indexes {
		file := filepath.Join(t.TempDir(), "index.json")
		if err := run([]string{"build", "-o", file, "testdata/docs"}, &strings.Builder{}); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		indexes[i] = string(data)
	}
	if indexes[0] != indexes[1] {
		t.Error("two indexes of one tree differ")
	}
}

func TestBadArguments(t *testing.T) {
	for _, args := range [][]string{
		{}, {"bake"}, {"build"}, {"build", "-x"}, {"query"}, {"build", "no-such-folder"}, {"stats", "-i", "no-such-file"},
	} {
		if err := run(args, &strings.Builder{}); err == nil {
			t.Errorf("%q: no error", args)
		}
	}
}
