package web

import (
	"strconv"
	"strings"
)

// prefersGerman says whether an Accept-Language header wants German rather than English, which is the default: where both are wanted alike, the one that
// is named first.
func prefersGerman(header string) bool {
	var german, english, other wish
	n := 0
	for part := range strings.SplitSeq(header, ",") {
		name, parameters, _ := strings.Cut(part, ";")
		primary, _, _ := strings.Cut(strings.TrimSpace(name), "-")
		q, valid := weight(parameters)
		if !valid {
			continue
		}
		n++
		switch {
		case strings.EqualFold(primary, "de"):
			german.better(q, n)
		case strings.EqualFold(primary, "en"):
			english.better(q, n)
		case primary == "*":
			other.better(q, n)
		}
	}
	if german.place == 0 {
		return false // what everything else has, English has too
	}
	if english.place == 0 {
		english = other
	}
	return german.q > english.q || german.q == english.q && german.q > 0 && german.place < english.place
}

// wish is how much a language is wanted.
type wish struct {
	q     float64 // 0 to 1
	place int     // in the header, from 1; 0: not named
}

func (w *wish) better(q float64, place int) {
	if w.place == 0 || q > w.q {
		*w = wish{q, place}
	}
}

// weight reads the parameters of a language: none, or a q from 0 to 1 and at most three digits after the point.
func weight(parameters string) (q float64, valid bool) {
	parameters = strings.TrimSpace(parameters)
	if parameters == "" {
		return 1, true
	}
	text, is := strings.CutPrefix(strings.ToLower(parameters), "q=")
	const longest = len("0.999")
	if !is || len(text) > longest || strings.Trim(text, "0123456789.") != "" {
		return 0, false
	}
	q, err := strconv.ParseFloat(text, 64)
	return q, err == nil && q <= 1
}
