package bot

import "strings"

// minLiteral is the length of the shortest literal, in bytes: the matcher looks at three bytes at a time.
const minLiteral = 3

// filterBits sets the size of the matcher's first filter: 2^13 buckets for a few hundred literals leave most of them empty.
const filterBits = 13

// literal is one line of a data file.
type literal struct {
	text      string // lower case, without its anchors
	name      string // what is answered
	atStart   bool   // only at the start of the agent
	wordStart bool   // only after something that is no letter or digit
	wordEnd   bool   // only before something that is no letter or digit
}

// matcher finds many literals in one pass over an agent. A bucket is chosen by the three bytes at a position, and nearly always empty.
type matcher struct {
	buckets [1 << filterBits][]literal
}

// newMatcher reads both data files. A line that is not well formed stops the process at its start, so that no build with one can pass a test.
func newMatcher(names, words string) *matcher {
	m := &matcher{}
	for text, name := range lines(names) {
		if name == "" {
			panic("bot: names.tsv: no name for " + text)
		}
		m.add(text, name)
	}
	for text := range lines(words) {
		m.add(text, Other)
	}
	return m
}

// lines yields the two columns of a data file, without comments and empty lines.
func lines(file string) func(yield func(first, second string) bool) {
	return func(yield func(first, second string) bool) {
		for line := range strings.Lines(file) {
			line = strings.TrimSuffix(line, "\n")
			if line == "" || strings.HasPrefix(line, "#") {
				continue
			}
			first, second, _ := strings.Cut(line, "\t")
			if !yield(first, second) {
				return
			}
		}
	}
}

func (m *matcher) add(text, name string) {
	l := literal{name: name}
	text, l.atStart = strings.CutPrefix(text, "^")
	text, l.wordStart = strings.CutPrefix(text, "<")
	l.text, l.wordEnd = strings.CutSuffix(text, ">")
	if len(l.text) < minLiteral || l.text != strings.ToLower(l.text) {
		panic("bot: literal is short or not in lower case: " + text)
	}
	h := bucket(l.text[0], l.text[1], l.text[2])
	m.buckets[h] = append(m.buckets[h], l)
}

func bucket(a, b, c byte) uint32 {
	return (uint32(a) | uint32(b)<<8 | uint32(c)<<16) * 2654435761 >> (32 - filterBits)
}

// find returns the name of the first named literal in b (the longest of those that start there: a program says its own name first, and
// then what it is made with), else Other when a literal without a name is there, else "". It does not look at b[from:to].
func (m *matcher) find(b []byte, from, to int) string {
	found := ""
	for i := 0; i+minLiteral <= len(b); i++ {
		if i == from && to > from {
			i = to - 1
			continue
		}
		length := 0
		for _, l := range m.buckets[bucket(b[i], b[i+1], b[i+2])] {
			switch {
			case !l.at(b, i):
			case l.name == Other && length == 0:
				found = Other
			case len(l.text) > length:
				found, length = l.name, len(l.text)
			}
		}
		if length > 0 {
			return found
		}
	}
	return found
}

// at reports whether the literal stands at position i of b.
func (l *literal) at(b []byte, i int) bool {
	end := i + len(l.text)
	if end > len(b) || string(b[i:end]) != l.text {
		return false
	}
	switch {
	case l.atStart && i != 0:
		return false
	case l.wordStart && i > 0 && wordByte(b[i-1]):
		return false
	case l.wordEnd && end < len(b) && wordByte(b[end]):
		return false
	}
	return true
}

func wordByte(c byte) bool {
	return 'a' <= c && c <= 'z' || '0' <= c && c <= '9'
}
