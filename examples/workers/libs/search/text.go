package search

import (
	"strings"
	"unicode"
)

// stopwords are left out of the index: they match everything and say nothing.
var stopwords = map[string]bool{
	"a": true, "an": true, "and": true, "are": true, "as": true, "at": true, "be": true,
	"but": true, "by": true, "for": true, "from": true, "has": true, "if": true, "in": true,
	"is": true, "it": true, "its": true, "of": true, "on": true, "or": true, "that": true,
	"the": true, "this": true, "to": true, "was": true, "were": true, "will": true, "with": true,
}

// Terms splits text into the terms that the index knows: lower case, without
// stopwords, with plural endings cut off. Order and repetition are kept.
func Terms(text string) []string {
	words := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '\''
	})
	terms := words[:0]
	for _, word := range words {
		word = strings.Trim(strings.TrimSuffix(word, "'s"), "'")
		if word == "" || stopwords[word] {
			continue
		}
		terms = append(terms, stem(word))
	}
	return terms
}

// stem takes English plural endings off, and nothing else: a stemmer that does
// more finds more, but what it finds is harder to explain to the person asking.
func stem(word string) string {
	switch {
	case len(word) > 4 && strings.HasSuffix(word, "ies"):
		return word[:len(word)-3] + "y"
	case len(word) > 4 && (strings.HasSuffix(word, "sses") || strings.HasSuffix(word, "xes") ||
		strings.HasSuffix(word, "ches") || strings.HasSuffix(word, "shes")):
		return word[:len(word)-2]
	case len(word) > 3 && strings.HasSuffix(word, "s") &&
		!strings.HasSuffix(word, "ss") && !strings.HasSuffix(word, "us") && !strings.HasSuffix(word, "is"):
		return word[:len(word)-1]
	}
	return word
}
