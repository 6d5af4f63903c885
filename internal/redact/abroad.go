package redact

import (
	_ "embed"
	"strconv"
	"strings"
)

// Bounds of a telephone number with its country, in digits.
const (
	minAbroad = 10
	maxAbroad = 15
)

//go:embed countries.txt
var countriesFile string

// countries says which numbers countries are called by; made once at start and never changed.
var countries = newCountries(countriesFile)

// newCountries reads countries.txt. What is no number of a country stops the process at its start, so that no build with one can pass a test.
func newCountries(file string) *[1000]bool {
	var t [1000]bool
	for line := range strings.Lines(file) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		for _, field := range strings.Fields(line) {
			code, err := strconv.Atoi(field)
			if err != nil || code < 7 || code > 999 || t[code] {
				panic("redact: number in countries.txt: " + field)
			}
			t[code] = true
		}
	}
	return &t
}

// abroadEnd returns where a telephone number ends that begins at from with a country's number but no plus, and -1 where none does: a query turns
// the plus into a space. Dots separate versions more often than telephone numbers, so they are no separators here.
func abroadEnd(s string, from int) int {
	if from > 1 && isDigit(s[from-2]) && s[from-1] != '/' {
		return -1 // a later number of a list
	}
	g := groupsAt(s, from, " -_", true)
	if g.n < 3 || g.n == maxGroups || !abroadSizes(g) && !inPairs(s, from, g) || g.end < len(s) && isAlnum(s[g.end]) {
		return -1
	}
	if g.end+1 < len(s) && contains(".,:", s[g.end]) && isDigit(s[g.end+1]) {
		return -1 // a price, a version or a time
	}
	if !countries[value(s[from:from+g.size[0]])] || listed(s, from, g) {
		return -1
	}
	if g.size[1] == 1 && s[from+g.size[0]+1] == '0' {
		return -1 // a version
	}
	return g.end
}

// abroadSizes reports whether groups are as long as those of a telephone number: one of them has three digits or more, as lists of sizes, scores and
// coordinates do not; and the last is no check digit, as that of a book.
func abroadSizes(g grouped) bool {
	sum, most := 0, 0
	for _, size := range g.size[1:g.n] {
		sum += size
		most = max(most, size)
	}
	switch {
	case g.size[0] > 3 || g.size[g.n-1] < 2 || g.size[0]+sum < minAbroad || g.size[0]+sum > maxAbroad:
		return false
	case g.size[0] == 1: // Russia and Kazakhstan; North America has a rule of its own
		return g.size[1] == 3 && sum == 10
	}
	return most >= 3 && (g.n < 6 || g.size[1] >= 3)
}

// inPairs reports whether groups are a number of France or the Netherlands, in pairs behind the first digit.
func inPairs(s string, from int, g grouped) bool {
	return g.size == [maxGroups]int{2, 1, 2, 2, 2, 2} && (s[from:from+2] == "33" || s[from:from+2] == "31")
}

// listed reports whether groups are a list of numbers rather than one: all of one length that rise or fall, all of them round, or with a year, a
// date or a group of noughts among them.
func listed(s string, from int, g grouped) bool {
	round, rising, falling := true, true, true
	before := 0
	for i, size := range g.size[:g.n] {
		group := s[from : from+size]
		from += size + 1
		if allZero(group) && size > 2 || recent(group) || size == 8 && recent(group[:4]) {
			return true
		}
		n := value(group)
		round = round && n%5 == 0
		same := i == 0 || size == g.size[i-1]
		rising = rising && same && (i == 0 || n > before)
		falling = falling && same && (i == 0 || n < before)
		before = n
	}
	return round || rising || falling
}

// recent reports whether four digits are more likely a year than part of a telephone number.
func recent(s string) bool {
	return year(s) && (s[0] == '1' || s[2] < '4')
}

func allZero(s string) bool {
	return strings.Trim(s, "0") == ""
}
