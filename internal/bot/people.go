package bot

import "bytes"

// handset returns the part of an Android agent, given in lower case, where a maker names the handset and its build, and 0, 0 where there
// is none. "CUBOT", "Discovery" and "Spider 8" are handsets, and "AP3A.240617.008" is a build.
//
//	mozilla/5.0 (linux; android 14; cubot note 40 build/up1a) applewebkit/537.36 ...
//	                              ^ from                    ^ to
//
// A slot with an address in it, or that says it is compatible with something, was not written by a maker.
func handset(b []byte) (from, to int) {
	i := bytes.Index(b, []byte("android"))
	if i < 0 {
		return 0, 0
	}
	semicolon := bytes.IndexAny(b[i:], ";)")
	if semicolon < 0 || b[i+semicolon] != ';' {
		return 0, 0
	}
	from = i + semicolon
	to = from + closing(b[from:])
	for _, sign := range []string{"http", "@", "compatible", "bot/", "-google", ".com", "www."} {
		if bytes.Contains(b[from:to], []byte(sign)) {
			return 0, 0
		}
	}
	return from, to
}

// closing returns the position of the bracket that closes the comment b starts in, and len(b) where none does. Names of handsets have
// brackets of their own: "moto g (4)".
func closing(b []byte) int {
	depth := 0
	for i, c := range b {
		switch {
		case c == '(':
			depth++
		case c == ')' && depth == 0:
			return i
		case c == ')':
			depth--
		}
	}
	return len(b)
}
