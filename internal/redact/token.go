package redact

import (
	_ "embed"
	"strings"
)

// The weights say how much a pair of neighbours speaks for chance rather than for language. They were found by trying, with every slug of
// testdata/slugs.txt left whole. TestFindToken_recall prints, for 10,000 tokens of each kind, how many go whole: base62 of 22 characters
// 99.77 %, base36 of 25 99.54 %, base64url of 22 99.28 %, nanoid 98.92 %, ULID 99.95 %, 24 small letters 96.33 %, hexadecimal 100.00 %.
const (
	weightPair     = -2 // two letters that words have side by side
	weightNoPair   = 8  // two that words hardly have
	weightInitials = 4  // the same of two capitals where there are small letters too: XMLHttpRequest
	weightHump     = 6  // a capital behind a small letter: rare but in camel case
	weightToDigit  = 6
	weightToWord   = 4  // a letter behind a digit
	weightDigits   = -2 // a digit behind a digit

	minWeight  = 20 // of a token
	minLetters = 10 // of one of letters alone, all small or all capitals
	minHeart   = 12 // characters of a token that carry its weight
	maxShort   = 3  // weight of a piece such as s24, 256gb or b2b, at most
)

//go:embed pairs.txt
var pairsFile string

// pairs says by the first letter which second letters words have; made once at start and never changed.
var pairs = newPairs(pairsFile)

// newPairs reads pairs.txt. A line that is not well formed stops the process at its start, so that no build with one can pass a test.
func newPairs(file string) *[26]uint32 {
	var t [26]uint32
	for line := range strings.Lines(file) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "#") {
			continue
		}
		first, seconds, ok := strings.Cut(line, ": ")
		if !ok || len(first) != 1 || first[0] < 'a' || first[0] > 'z' || t[first[0]-'a'] != 0 {
			panic("redact: line of pairs.txt: " + line)
		}
		for _, c := range []byte(seconds) {
			if c < 'a' || c > 'z' {
				panic("redact: line of pairs.txt: " + line)
			}
			t[first[0]-'a'] |= 1 << (c - 'a')
		}
	}
	return &t
}

// findToken finds characters that chance has put together, at least minToken of them.
func findToken(s string) (start, end int) {
	for i := 0; i < len(s); i++ {
		if classes[s[i]]&(alnum|joiner) == 0 {
			continue
		}
		to := i
		for to < len(s) && classes[s[to]]&(alnum|joiner) != 0 {
			to++
		}
		if end := signedEnd(s, i, to); end >= 0 {
			return i, end
		}
		if to-i >= minToken {
			if start, end := tokenIn(s[i:to]); start >= 0 {
				return i + start, padded(s, i+end)
			}
		}
		i = to
	}
	return -1, 0
}

// padded returns where a token that ends at i ends with its padding.
func padded(s string, i int) int {
	end := i
	for end < len(s) && end < i+2 && s[end] == '=' {
		end++
	}
	if end < len(s) && (isAlnum(s[end]) || s[end] == '=') {
		return i
	}
	return end
}

// signedEnd returns where a token ends that begins, between from and to, as JSON in base64 does, with the signed parts behind it; -1 where none does.
func signedEnd(s string, from, to int) int {
	if to-from < minSigned || !strings.HasPrefix(s[from:], "eyJ") {
		return -1
	}
	for to+1 < len(s) && s[to] == '.' && classes[s[to+1]]&(alnum|joiner) != 0 {
		for to++; to < len(s) && classes[s[to]]&(alnum|joiner) != 0; to++ {
		}
	}
	return padded(s, to)
}

// tokenIn finds a token in a run of letters, digits, - and _. It adds up the weights of pieces side by side, begins anew where the sum falls
// below nothing, and takes the pieces up to where the sum was highest.
func tokenIn(run string) (start, end int) {
	if a, b := codeIn(run); a >= 0 {
		return rim(run, a, b)
	}
	var sum, best int
	for from := 0; from < len(run); {
		to := pieceEnd(run, from)
		if from < to {
			piece := run[from:to]
			if a, b := hexIn(piece); a >= 0 {
				return rim(run, from+a, from+b)
			}
			if sum <= 0 {
				if a, b := grown(run, start, end, best); a >= 0 {
					return a, b
				}
				sum, best, start, end = 0, 0, from, from
			}
			if sum += weigh(piece); sum >= best {
				best, end = sum, to
			}
		}
		from = to + 1
	}
	return grown(run, start, end, best)
}

func pieceEnd(run string, from int) int {
	for from < len(run) && run[from] != '-' && run[from] != '_' {
		from++
	}
	return from
}

// grown returns the token whose heart weighs so much, with the pieces beside it that are no words, or -1 where it is too light or too short. Of
// a token in base64 that has - or _ near an end, the piece beyond may be too short to have a weight.
func grown(run string, start, end, weight int) (from, to int) {
	if weight < bar(run[start:end]) || end-start < minHeart {
		return -1, 0
	}
	rich := rich(run[start:end])
	for start > 1 {
		from := strings.LastIndexAny(run[:start-1], "-_") + 1
		if !scrap(run[from:start-1], end-start < minToken, rich) {
			break
		}
		start = from
	}
	for end < len(run) {
		to := pieceEnd(run, end+1)
		if !scrap(run[end+1:to], end-start < minToken, rich) {
			break
		}
		end = to
	}
	if start, end = rim(run, start, end); end-start < minToken {
		return -1, 0
	}
	return start, end
}

// bar returns the least weight of a token: words are hardly ever as long as a token of letters alone.
func bar(heart string) int {
	if len(heart) < minToken {
		return minWeight
	}
	for i := range len(heart) {
		if !isLetter(heart[i]) || heart[i]&0x20 != heart[0]&0x20 {
			return minWeight
		}
	}
	return minLetters
}

// rim returns a token with the - and _ beside it at the ends of the run: there is nothing that they separate it from.
func rim(run string, start, end int) (from, to int) {
	for from = start; from > 0 && classes[run[from-1]]&joiner != 0; from-- {
	}
	for to = end; to < len(run) && classes[run[to]]&joiner != 0; to++ {
	}
	if from > 0 {
		from = start
	}
	if to < len(run) {
		to = end
	}
	return from, to
}

// rich reports whether the heart of a token has small letters, capitals and digits.
func rich(heart string) bool {
	small, capital, digit := false, false, false
	for i := range len(heart) {
		switch c := heart[i]; {
		case isDigit(c):
			digit = true
		case c >= 'a':
			small = true
		case c >= 'A' && c <= 'Z':
			capital = true
		}
	}
	return small && capital && digit
}

// scrap reports whether a piece beside the heart of a token may be of it: it mixes small letters, capitals and digits as words do not, or it is
// needed and too short to be one. Beside a heart that is rich, four characters are too short: most short words stand beside a hash in small hex.
func scrap(piece string, needed, rich bool) bool {
	if len(piece) <= 2 || rich && len(piece) <= 4 && needed {
		return needed || piece == ""
	}
	small, capital, digit := 0, 0, 0
	for i := range len(piece) {
		switch c := piece[i]; {
		case isDigit(c):
			digit++
		case c >= 'a':
			small++
		case i > 0 || needed:
			capital++
		}
	}
	return capital > 0 && small > 0 || digit > 0 && small+capital > 0 && needed
}

// hexIn finds at least minToken hexadecimal digits in a row, with a letter among them: the others are a number.
func hexIn(piece string) (start, end int) {
	letters := false
	for i := range len(piece) {
		if !isHex(piece[i]) {
			if i-start >= minToken && letters {
				return start, i
			}
			start, letters = i+1, false
			continue
		}
		letters = letters || !isDigit(piece[i])
	}
	if len(piece)-start >= minToken && letters {
		return start, len(piece)
	}
	return -1, 0
}

// weigh returns how much speaks for chance in a piece without - and _.
func weigh(piece string) int {
	sum, turns, humps, initials := 0, 0, 0, 0
	small := false
	for i := 1; i < len(piece); i++ {
		a, b := piece[i-1], piece[i]
		switch digitA, digitB := isDigit(a), isDigit(b); {
		case digitA && digitB:
			sum += weightDigits
		case digitB:
			sum += weightToDigit
			turns++
		case digitA:
			sum += weightToWord
			turns++
		case a >= 'a' && b < 'a':
			sum += weightHump
			humps++
		case a|0x20 == b|0x20: // xxxx is a mask
		case pairs[a|0x20-'a']>>(b|0x20-'a')&1 != 0:
			sum += weightPair
		default:
			sum += weightNoPair
			if a < 'a' && b < 'a' {
				initials++
			}
		}
		small = small || b >= 'a'
	}
	if small {
		sum -= initials * (weightNoPair - weightInitials)
	}
	if short(piece, turns, humps) {
		return min(sum, maxShort*turns)
	}
	return sum
}

// short reports whether a piece looks like an abbreviation, a size or a model: css, s24, 256gb, iphone15, b2b, i18n.
func short(piece string, turns, humps int) bool {
	switch turns {
	case 0:
		return humps == 0 && len(piece) <= 5
	case 1:
		return humps == 0 && len(piece) <= 8
	case 2:
		return humps == 0 && len(piece) <= 4
	}
	return false
}
