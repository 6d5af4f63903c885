package redact

import (
	"unicode"
	"unicode/utf8"
)

// leads are the first bytes of the characters outside ASCII that may be meant as one of ASCII or as nothing: no-break spaces, soft hyphens, digits
// of other scripts, dashes, characters without width, and all of the fullwidth forms. Latin, Cyrillic and nearly all Greek letters and
// the CJK ideographs begin with other bytes, so that ordinary text costs nothing.
var leads = [...]byte{0xc2, 0xcd, 0xd6, 0xd8, 0xd9, 0xdb, 0xdc, 0xdf, 0xe0, 0xe1, 0xe2, 0xe3, 0xea, 0xef, 0xf0, 0xf3}

// char is one character of a text.
type char struct {
	meant rune // what it is meant as; dropped for nothing, raw for the byte it is
	width int  // bytes in which it is written
}

const (
	dropped rune = -1
	raw     rune = -2
)

// size returns the bytes of what is meant.
func (c char) size() int {
	switch c.meant {
	case dropped:
		return 0
	case raw:
		return 1
	}
	return utf8.RuneLen(c.meant)
}

// maxEscapes is how often a character may have been escaped to be seen: %252540 is three times.
const maxEscapes = 5

// charAt reads the character at i: digits of every script as those of ASCII, dashes as "-", an escape such as %40 as what it stands for. escapes
// says how often a character may have been escaped; 0 reads escapes as they are written.
func charAt(s string, i, escapes int) char {
	c := s[i]
	if c == '%' && escapes > 0 {
		return escapeAt(s, i, escapes)
	}
	if c < utf8.RuneSelf {
		return char{rune(c), 1}
	}
	r, width := utf8.DecodeRuneInString(s[i:])
	if r == utf8.RuneError && width == 1 {
		return char{raw, 1}
	}
	return char{fold(r), width}
}

// escapeAt reads %40, or several escapes that are one character together. What is no escape is a percent sign.
func escapeAt(s string, i, escapes int) char {
	var b [utf8.UTFMax]byte
	var ends [utf8.UTFMax]int
	n := 0
	for at := i; n < len(b) && at < len(s) && s[at] == '%'; n++ {
		end := escapeEnd(s, at, escapes)
		if end < 0 {
			break
		}
		b[n] = unhex(s[end-2])<<4 | unhex(s[end-1])
		ends[n] = end
		at = end
	}
	r, size := utf8.DecodeRune(b[:n])
	if n == 0 || r == utf8.RuneError && size <= 1 {
		return char{'%', 1}
	}
	return char{fold(r), ends[size-1] - i}
}

// escapeEnd returns where the escape of a byte ends that begins at from, and -1 where none does. Its last two characters say which byte it is:
// those before them are percent signs, escaped themselves.
func escapeEnd(s string, from, escapes int) int {
	i := from + 1
	for n := 1; n < escapes && escaped(s, i+2) && s[i] == '2' && s[i+1] == '5'; n++ {
		i += 2
	}
	if !escaped(s, i) {
		return -1
	}
	return i + 2
}

// escaped reports whether a byte in hexadecimal is at i.
func escaped(s string, i int) bool {
	return i+1 < len(s) && isHex(s[i]) && isHex(s[i+1])
}

func unhex(c byte) byte {
	if isDigit(c) {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}

// fold returns what a character is meant as.
func fold(r rune) rune {
	switch {
	case r < 0x80:
		return r
	case r >= 0xff01 && r <= 0xff5e: // fullwidth forms
		return r - 0xff01 + '!'
	case r == 0x2212: // minus sign
		return '-'
	case r >= 0xfe00 && r <= 0xfe0f, r == 0x034f, r == 0x115f, r == 0x1160, r == 0x3164, r == 0xffa0: // selectors, joiners and fillers
		return dropped
	case unicode.Is(unicode.Nd, r):
		return '0' + digitOf(r)
	case unicode.Is(unicode.Cf, r):
		return dropped
	case unicode.Is(unicode.Pd, r):
		return '-'
	case unicode.Is(unicode.Zs, r):
		return ' '
	}
	return r
}

// digitOf returns the value of a decimal digit: they stand in rows of ten.
func digitOf(r rune) rune {
	for _, t := range unicode.Nd.R16 {
		if r <= rune(t.Hi) {
			return (r - rune(t.Lo)) % 10
		}
	}
	for _, t := range unicode.Nd.R32 {
		if r <= rune(t.Hi) {
			return (r - rune(t.Lo)) % 10
		}
	}
	return 0
}

// foldable reports whether any character of s is meant otherwise than it is written.
func foldable(s string, escapes int) bool {
	for i := 0; i < len(s); {
		if classes[s[i]]&foldMark == 0 {
			i++
			continue
		}
		c := charAt(s, i, escapes)
		if c.meant != raw && c.size() != c.width {
			return true
		}
		if r, _ := utf8.DecodeRuneInString(s[i:]); c.meant != raw && r != c.meant {
			return true
		}
		i += c.width
	}
	return false
}

// appendFolded appends s as it is meant.
func appendFolded(dst []byte, s string, escapes int) []byte {
	for i := 0; i < len(s); {
		c := charAt(s, i, escapes)
		switch c.meant {
		case dropped:
		case raw:
			dst = append(dst, s[i])
		default:
			dst = utf8.AppendRune(dst, c.meant)
		}
		i += c.width
	}
	return dst
}
