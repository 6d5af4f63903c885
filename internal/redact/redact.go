// Package redact takes what looks like personal data out of texts: e-mail addresses, identifiers, tokens, telephone and other long numbers.
//
// It stands in the write line between enrichment and the visitor number: ingest asks it for every path, referrer, campaign value, property
// value and name before the event is encoded, for live and imported events alike. Path and Text hold on every site; Rules are a site's own.
//
// Invariants: a text in which nothing is found comes back as it is, without a copy. What comes out of Path or Text comes out of it again
// unchanged, is valid UTF-8 where the text was, and is at most a sixth longer than the text and a byte. Nothing here allocates while the scratch has
// room, but a rule that matches. The same text always has the same result.
//
// It knows no names of people, streets or towns, and it does not read what a number means: an article number of nine digits goes too. Addresses
// of the IPv4 kind stay, because versions look the same. It cuts no URL into parts; user names and queries have gone before.
package redact

import (
	"strings"
	"unsafe"
)

// kind is a sort of personal data. Kinds are looked for in this order; what one has taken, a later one does not see.
type kind int

const (
	email kind = iota
	id
	account
	token
	number
	kinds
)

// placeholder returns what stands where something of the kind was.
func (k kind) placeholder() string {
	return [...]string{"{email}", "{id}", "{number}", "{token}", "{number}"}[k]
}

// maxRounds bounds how often a text is gone through. Taking out one thing may lay bare another; TestRedact_rounds sees texts that need four.
const maxRounds = 16

// Path redacts a path that has been percent-decoded; it may have a fragment. The result is s itself or a view of the returned scratch, which is
// scratch with more in it.
func Path(s string, scratch []byte) (string, []byte) { return redact(s, true, scratch) }

// Text redacts words as people and programs write them: titles, campaign values, values and names of properties. The result is s itself or a
// view of the returned scratch, which is scratch with more in it.
func Text(s string, scratch []byte) (string, []byte) { return redact(s, false, scratch) }

func redact(s string, path bool, scratch []byte) (string, []byte) {
	seen := look(s)
	for range maxRounds {
		if seen&suspect == 0 {
			break
		}
		out, grown, found := round(s, path, seen, scratch)
		if !found {
			break
		}
		s, scratch = out, grown
		seen = look(s)
	}
	return s, scratch
}

// round goes through s once: as it is meant with all escapes of escapes undone, else with one of each, else with none, else as it is written.
// Where nothing is found scratch is as it was.
func round(s string, path bool, seen sight, scratch []byte) (string, []byte, bool) {
	if seen&folds != 0 {
		for _, escapes := range [...]int{maxEscapes, 1, 0} {
			if escapes > 1 && !strings.Contains(s, "%25") || !foldable(s, escapes) {
				continue
			}
			folded := appendFolded(scratch, s, escapes)
			meant := view(folded[len(scratch):])
			w := work{s: s, text: meant, folded: true, escapes: escapes, path: path, seen: look(meant), out: folded}
			if out, grown, found := w.run(); found {
				return out, grown, true
			}
		}
	}
	w := work{s: s, text: s, path: path, seen: seen, out: scratch}
	return w.run()
}

// work is one text being gone through.
type work struct {
	s       string // as it is written
	text    string // as it is meant; what is looked at
	folded  bool   // they differ
	escapes int    // how many escapes of each character of s are undone in text, at most
	path    bool
	seen    sight // of text

	out    []byte
	found  bool
	copied int // bytes of s that are in out or were replaced
	meant  int // the same place in text
}

// run returns the redacted text and the buffer that holds it, and reports whether anything was found.
func (w *work) run() (string, []byte, bool) {
	from := len(w.out)
	w.find(email, 0, len(w.text))
	if !w.found {
		return w.s, w.out, false
	}
	w.out = append(w.out, w.s[w.copied:]...)
	return view(w.out[from:]), w.out, true
}

// find replaces everything of a kind and of those after it between two places of the text. What is left between two finds is looked at as if it
// stood alone, which is how the next round would see it.
func (w *work) find(k kind, from, to int) {
	for k < kinds && w.seen&wants[k] == 0 {
		k++
	}
	if k == kinds {
		return
	}
	for from < to {
		start, end := w.next(k, w.text[from:to])
		if start < 0 {
			break
		}
		w.find(k+1, from, from+start)
		w.replace(from+start, from+end, k)
		from += end
	}
	w.find(k+1, from, to)
}

// next returns where the first thing of a kind begins and ends; the beginning is -1 where there is none.
func (w *work) next(k kind, text string) (start, end int) {
	switch k {
	case email:
		return findEmail(text)
	case id:
		return findUUID(text)
	case account:
		return findIBAN(text)
	case token:
		return findToken(text)
	default:
		return findNumber(text, w.path)
	}
}

// replace writes what stood before a find, and a placeholder for it.
func (w *work) replace(start, end int, k kind) {
	done := w.copied
	w.seek(start)
	w.out = append(append(w.out, w.s[done:w.copied]...), k.placeholder()...)
	w.seek(end)
	w.found = true
}

// seek goes on to a place of the text, in both ways of counting.
func (w *work) seek(place int) {
	if !w.folded {
		w.copied = place
		return
	}
	for w.meant < place {
		c := charAt(w.s, w.copied, w.escapes)
		w.copied += c.width
		w.meant += c.size()
	}
}

func view(b []byte) string {
	return unsafe.String(unsafe.SliceData(b), len(b)) //nolint:gosec // saves a copy of every field; nothing writes to the bytes again
}
