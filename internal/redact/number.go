package redact

import "strings"

// findUUID finds a UUID, with the braces around it where it has both.
func findUUID(s string) (start, end int) {
	for i := 0; i+36 <= len(s); i++ {
		if s[i+8] != '-' || s[i+13] != '-' || s[i+18] != '-' || s[i+23] != '-' || !uuid(s[i:i+36]) {
			continue
		}
		if i > 0 && s[i-1] == '{' && i+36 < len(s) && s[i+36] == '}' {
			return i - 1, i + 37
		}
		return i, i + 36
	}
	return -1, 0
}

func uuid(s string) bool {
	for i := range len(s) {
		switch i {
		case 8, 13, 18, 23:
		default:
			if !isHex(s[i]) {
				return false
			}
		}
	}
	return true
}

// Bounds of an IBAN, in letters and digits.
const (
	minIBAN = 15
	maxIBAN = 34
)

// findIBAN finds the number of a bank account.
func findIBAN(s string) (start, end int) {
	for i := 0; i+minIBAN <= len(s); i++ {
		if isDigit(s[i+2]) && isDigit(s[i+3]) && isLetter(s[i]) && isLetter(s[i+1]) && (i == 0 || !isAlnum(s[i-1])) {
			if end := ibanEnd(s, i); end >= 0 {
				return i, end
			}
		}
	}
	return -1, 0
}

// ibanEnd returns where the IBAN that begins at from ends: at the last place where it could and its check digits are right; -1 for nowhere. At
// least half of it are digits, which holds for every country's and for few words.
func ibanEnd(s string, from int) int {
	end := -1
	var sum, count, figures int // sum is the rest of everything but the first four characters
	i := from
	for ; i < len(s) && count < maxIBAN; i++ {
		c := s[i]
		if !isAlnum(c) {
			if c != ' ' && c != '-' && c != '_' || !isAlnum(s[i-1]) {
				break
			}
			continue
		}
		count++
		if isDigit(c) {
			figures++
		}
		if count > 4 {
			sum = checkDigit(sum, c)
		}
		if i+1 < len(s) && isAlnum(s[i+1]) || count < minIBAN || 2*figures < count || figures < minDigits {
			continue
		}
		all := sum
		for _, c := range []byte(s[from : from+4]) {
			all = checkDigit(all, c)
		}
		if all == 1 {
			end = i + 1
		}
	}
	return end
}

// checkDigit carries the rest of a division by 97 on over a digit, or over a letter as two digits.
func checkDigit(rest int, c byte) int {
	if isDigit(c) {
		return (rest*10 + int(c-'0')) % 97
	}
	return (rest*100 + int(c|0x20-'a') + 10) % 97
}

// findNumber finds a telephone number, one of the other numbers that are written in groups, or at least nine digits in a row.
func findNumber(s string, path bool) (start, end int) {
	for i := 0; i < len(s); {
		switch c := s[i]; {
		case c == '+' || c == '(':
			if end := phoneEnd(s, i, path); end >= 0 {
				return i, end
			}
			i++
		case !isDigit(c):
			i++
		default:
			end := digitsEnd(s, i)
			if end-i >= minDigits {
				return i, end
			}
			if first(s, i) {
				if to := calendarEnd(s, i); to >= 0 {
					i = to
					continue
				}
				if c == '0' {
					if to := phoneEnd(s, i, path); to >= 0 {
						return i, to
					}
				}
				if to := groupedEnd(s, i); to >= 0 {
					return i, to
				}
				if to := abroadEnd(s, i); to >= 0 {
					return i, to
				}
			}
			i = end
		}
	}
	return -1, 0
}

func digitsEnd(s string, i int) int {
	for i < len(s) && isDigit(s[i]) {
		i++
	}
	return i
}

// first reports whether the group of digits at i begins a number: it is no part of a word, and no later group of a number or date.
func first(s string, i int) bool {
	if i == 0 {
		return true
	}
	if isAlnum(s[i-1]) || s[i-1] == '_' {
		return false
	}
	return i < 2 || !isDigit(s[i-2]) || strings.IndexByte(".-,:", s[i-1]) < 0
}

// phoneEnd returns where the telephone number that begins at from with +, ( or 0 ends, and -1 where none does: groups with at least nine digits.
func phoneEnd(s string, from int, path bool) int {
	i := from
	slash := !path || s[i] != '0'
	switch s[i] {
	case '(':
		if i = bracketEnd(s, i); i < 0 {
			return -1
		}
	case '+':
		if i++; i < len(s) && s[i] == '(' {
			i++
		}
	default:
		n := digitsEnd(s, i) - i
		if allZero(s[i:i+n]) && n > 2 {
			return -1 // 1 000 000 000
		}
		if n == 1 && (i+1 == len(s) || s[i+1] != ' ' && s[i+1] != '-') {
			return -1 // 0.5 or 0/1
		}
		slash = slash || n >= 3
	}
	end, count := -1, 0
	if s[from] == '(' {
		count = i - from - 2
		i = gapEnd(s, i, slash)
	}
	for i < len(s) && isDigit(s[i]) {
		end = digitsEnd(s, i)
		count += end - i
		i = gapEnd(s, end, slash)
	}
	if count < minDigits {
		return -1
	}
	return end
}

// bracketEnd returns where an area code in brackets ends, and -1 where there is none: (030) and (+49), not (2026).
func bracketEnd(s string, from int) int {
	i := from + 1
	if i < len(s) && s[i] == '+' {
		i++
	}
	end := digitsEnd(s, i)
	if end == i || end-i > 5 || end == len(s) || s[end] != ')' || year(s[i:end]) {
		return -1
	}
	return end + 1
}

// gapEnd returns where what separates two groups of a telephone number ends: at most three signs, no two of a kind side by side.
func gapEnd(s string, i int, slash bool) int {
	for n := 0; n < 3 && i < len(s); n++ {
		c := s[i]
		if !contains(" .-_()", c) && (c != '/' || !slash) || n > 0 && s[i-1] == c {
			break
		}
		i++
	}
	return i
}
