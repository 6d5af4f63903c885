package redact

// class says what a byte may be part of.
type class uint8

const (
	alnum    class = 1 << iota // a letter or digit of ASCII
	joiner                     // - or _: inside tokens, and between their pieces
	at                         // @
	foldMark                   // a byte that may begin a character which is meant as another one
	digitBit                   // a digit
	other                      // anything else
)

// classes is made once at start and never changed.
var classes = newClasses()

func newClasses() *[256]class {
	var t [256]class
	for c := '0'; c <= '9'; c++ {
		t[c] = alnum | digitBit
	}
	for c := 'a'; c <= 'z'; c++ {
		t[c] = alnum
		t[c-'a'+'A'] = alnum
	}
	t['-'], t['_'], t['@'], t['%'] = joiner, joiner, at, foldMark
	for _, lead := range leads {
		t[lead] = foldMark
	}
	return &t
}

// sight is what a first look at a text says that may be in it.
type sight uint8

const (
	sees   sight = 1 << iota // @
	folds                    // something that may be meant otherwise than it is written
	groups                   // the middle of a UUID
	long                     // enough letters and digits in a row, of the kind tokens have
	digits                   // enough digits
)

// suspect is a text that cannot be let through at first look.
const suspect = sees | folds | groups | long | digits

// wants says which sight a kind cannot be without.
var wants = [kinds]sight{email: sees, id: groups, account: digits, token: long, number: digits}

const (
	minToken  = 20 // characters of a token
	minSigned = 16 // characters of the first part of a signed token
	minDigits = 9  // digits of a number
	minOdd    = 4  // digits and capitals of a token whose pieces are all shorter than minToken
)

// tally is what look makes of a byte: a sum of oneOdd and oneDigit for a letter or digit, else its class above them.
type tally uint64

const (
	oneOdd   tally = 1       // a digit or a capital: what an ordinary slug has few of
	oneDigit tally = 1 << 24 // texts are far shorter than either can count
	stop     tally = 0xff << 48
)

// tallies is made once at start and never changed.
var tallies = newTallies()

func newTallies() *[256]tally {
	var t [256]tally
	for i, c := range classes {
		switch {
		case c&digitBit != 0:
			t[i] = oneOdd | oneDigit
		case c&alnum == 0:
			t[i] = tally(c|other) << 48
		case i < 'a':
			t[i] = oneOdd
		}
	}
	return &t
}

// look reads every byte once. It may suspect what is not there, and never lets through what is.
func look(s string) sight {
	table := tallies
	var seen, sum, before tally // sum counts in s, before what of it was before the run
	var piece, run int          // where they began
	var lengths uint32          // of the last four pieces, a byte each
	var found sight
	for i := 0; i < len(s); i++ {
		t := table[s[i]]
		if t&stop == 0 {
			sum += t
			continue
		}
		seen |= t
		found |= pieceSight(i-piece, lengths)
		lengths = lengths<<8 | uint32(min(i-piece, 0xff))
		piece = i + 1
		if t>>48&tally(joiner) == 0 {
			found |= runSight(i-run, sum-before)
			run, before = piece, sum
		}
	}
	found |= pieceSight(len(s)-piece, lengths) | runSight(len(s)-run, sum-before)
	if sum/oneDigit >= minDigits {
		found |= digits
	}
	if seen>>48&tally(at) != 0 {
		found |= sees
	}
	if seen>>48&tally(foldMark) != 0 {
		found |= folds
	}
	return found
}

// pieceSight returns what a piece of n bytes may be, or be the end of; lengths are of those before it.
func pieceSight(n int, lengths uint32) sight {
	switch {
	case n >= minToken:
		return long | groups
	case n >= 12 && lengths&0xffffff == 0x040404:
		return groups
	}
	return 0
}

// runSight returns what a run of n bytes with so many odd characters may be.
func runSight(n int, odd tally) sight {
	if n >= minSigned && odd%oneDigit >= minOdd {
		return long
	}
	return 0
}

func isAlnum(c byte) bool { return classes[c]&alnum != 0 }
func isDigit(c byte) bool { return classes[c]&digitBit != 0 }

func isLetter(c byte) bool {
	c |= 0x20
	return 'a' <= c && c <= 'z'
}

func isHex(c byte) bool {
	return isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'f'
}
