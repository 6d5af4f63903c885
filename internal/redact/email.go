package redact

import (
	_ "embed"
	"strings"
	"unicode"
	"unicode/utf8"
)

// findEmail finds an address of a mailbox: something, an "@", and a domain with a dot in it. "user@localhost" names nobody outside, "/@somebody" and
// "@scope/package" have nothing before the "@".
func findEmail(s string) (start, end int) {
	for i := 0; i < len(s); i++ {
		n := strings.IndexByte(s[i:], '@')
		if n < 0 {
			break
		}
		i += n
		end := domainEnd(s, i+1)
		if end < 0 {
			continue
		}
		if start := localStart(s, i); start < i {
			return start, end
		}
	}
	return -1, 0
}

// localStart returns where the name of a mailbox that ends at i begins; i where there is none.
func localStart(s string, i int) int {
	if i > 1 && s[i-1] == '"' {
		if from := strings.LastIndexByte(s[max(0, i-66):i-1], '"'); from >= 0 {
			return max(0, i-66) + from
		}
	}
	start := i
	ideographs := false
	for start > 0 {
		r, size := utf8.DecodeLastRuneInString(s[:start])
		if start == i {
			ideographs = r >= 0x2e80
		}
		if !localRune(r) || r >= 0x2e80 && !ideographs {
			break
		}
		start -= size
	}
	for start < i {
		r, size := utf8.DecodeRuneInString(s[start:])
		if unicode.IsLetter(r) || unicode.IsNumber(r) {
			break
		}
		start += size
	}
	return start
}

// localRune reports whether a character is part of a mailbox's name. Of the signs that mail allows, those that separate in addresses and
// titles (/ # = ? & * | ^ ` { }) are left out; a second "@" is let in, so that no part of "a@b@c.org" stays.
func localRune(r rune) bool {
	if r < utf8.RuneSelf {
		return isAlnum(byte(r)) || strings.IndexByte("._%+-'!$~@", byte(r)) >= 0
	}
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsMark(r) || unicode.IsNumber(r))
}

// domainEnd returns where the domain that begins at from ends, and -1 where none begins there. It ends with the last label of at least two
// letters.
func domainEnd(s string, from int) int {
	end := -1
	label := from
	i := from
	for i < len(s) {
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == '.' {
			if i == label {
				break
			}
			label = i + 1
			i++
			if top := topEnd(s, label); top >= 0 {
				end = top
			}
			continue
		}
		if !domainRune(r) {
			break
		}
		i += size
	}
	if end >= 0 && (version(s[from:end]) || picture(s[from:end])) {
		return -1
	}
	return end
}

func domainRune(r rune) bool {
	if r < utf8.RuneSelf {
		return isAlnum(byte(r)) || r == '-'
	}
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsMark(r))
}

// topEnd returns where a top-level domain that begins at from ends, and -1 where none begins there. Letters of ASCII and others do not mix.
func topEnd(s string, from int) int {
	i := from
	if len(s)-from > 4 && strings.EqualFold(s[from:from+4], "xn--") {
		for i < len(s) && (isAlnum(s[i]) || s[i] == '-') {
			i++
		}
		return i
	}
	for i < len(s) && isLetter(s[i]) {
		i++
	}
	if i-from >= 2 {
		return i
	}
	if i > from {
		return -1
	}
	letters := 0
	for i < len(s) && s[i] >= utf8.RuneSelf {
		r, size := utf8.DecodeRuneInString(s[i:])
		if !domainRune(r) {
			break
		}
		letters++
		i += size
	}
	if letters < 2 {
		return -1
	}
	return i
}

// version reports whether a domain is the version of a package with the end of a file's name behind it, as in "lodash@4.17.21.tgz" and
// "vue@3.5.0-rc.1.min.js": two numbers, then numbers and words of versions.
func version(domain string) bool {
	for n := 0; domain != ""; n++ {
		var label string
		label, domain, _ = strings.Cut(domain, ".")
		for first := true; label != ""; first = false {
			var part string
			part, label, _ = strings.Cut(label, "-")
			word := strings.TrimRight(part, "0123456789")
			if n < 2 && first && (word != "" || part == "") || word != "" && !versionWord(word) {
				return false
			}
		}
	}
	return true
}

//go:embed versions.txt
var versionsFile string

// versionWords are the words that versions and the files of packages have; made once at start and never changed.
var versionWords = newVersionWords(versionsFile)

func newVersionWords(file string) []string {
	var words []string
	for line := range strings.Lines(file) {
		if !strings.HasPrefix(line, "#") {
			words = append(words, strings.Fields(line)...)
		}
	}
	return words
}

func versionWord(s string) bool {
	for _, word := range versionWords {
		if strings.EqualFold(word, s) {
			return true
		}
	}
	return false
}

// picture reports whether a domain is the end of a picture's name, as in "logo@2x.png".
func picture(domain string) bool {
	density, ending, _ := strings.Cut(domain, "x.")
	if density == "" || strings.Trim(density, "0123456789.") != "" {
		return false
	}
	switch strings.ToLower(ending) {
	case "png", "jpg", "jpeg", "gif", "webp", "avif", "svg":
		return true
	}
	return false
}
