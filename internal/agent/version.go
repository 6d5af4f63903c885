package agent

// maxDigits bounds each number of a version. Longer ones are build numbers, or made up to recognise somebody by.
const maxDigits = 3

// version writes the first one or two numbers of s anew: "131.0.6778" is "131" or "131.0". It returns "" where s does not start with a
// number of at most three digits, and leaves away a second number that is longer.
func version(s string, numbers int) string {
	if numbers == 0 {
		return ""
	}
	var buf [2*maxDigits + 1]byte
	n, rest := digits(s)
	if n == 0 || n > maxDigits || letter(rest) {
		return ""
	}
	out := append(buf[:0], s[:n]...)
	if numbers > 1 && rest != "" && (rest[0] == '.' || rest[0] == '_') {
		minor := rest[1:]
		if m, after := digits(minor); m > 0 && m <= maxDigits && !letter(after) {
			out = append(append(out, '.'), minor[:m]...)
		}
	}
	return string(out)
}

// digits returns the number of digits s starts with, and what follows them.
func digits(s string) (int, string) {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return n, s[n:]
}

func letter(s string) bool {
	return s != "" && (s[0]|0x20 >= 'a' && s[0]|0x20 <= 'z')
}

// lastHonestIOS is the last iOS that says its own version: from 26 on Safari goes on saying 18.6 or 18.7.
const lastHonestIOS = 18

// iosVersion returns the version of iOS where os ("17_4") can be believed. safari is what Safari says of itself, or "".
func iosVersion(os, safari string) string {
	major := number(os)
	switch {
	case major > lastHonestIOS:
		return ""
	case major == lastHonestIOS && number(safari) > lastHonestIOS:
		return ""
	case major == lastHonestIOS && safari == "" && minor(os) >= 6:
		return "" // the frozen value and the true one look alike, and nothing else tells
	}
	return version(os, 2)
}

// number returns the number s starts with, and 0 where that is none of at most three digits.
func number(s string) int {
	n, _ := digits(s)
	if n > maxDigits {
		return 0
	}
	v := 0
	for _, c := range s[:n] {
		v = v*10 + int(c-'0')
	}
	return v
}

// minor returns the second number of s, and 0 where there is none.
func minor(s string) int {
	_, rest := digits(s)
	if rest == "" {
		return 0
	}
	return number(rest[1:])
}
