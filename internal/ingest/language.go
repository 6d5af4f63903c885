package ingest

import (
	_ "embed"
	"strings"
)

//go:embed languages.txt
var languageList string

// languages is the closed table of languages, so that no piece of a header is stored as it came.
type languages map[string]bool

func newLanguages() languages {
	known := languages{}
	for line := range strings.Lines(languageList) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		for _, code := range strings.Fields(line) {
			known[code] = true
		}
	}
	return known
}

// first returns the first language of an Accept-Language header, or "" where it is not in the table.
func (l languages) first(header string) string {
	tag := strings.TrimSpace(header)
	for i := range len(tag) {
		switch tag[i] {
		case '-', '_', ',', ';', ' ':
			return l.known(tag[:i])
		}
	}
	return l.known(tag)
}

func (l languages) known(tag string) string {
	if !l[tag] {
		return ""
	}
	return tag
}
