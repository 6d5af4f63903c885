package redact

// maxGroups is how many groups of digits are looked at together.
const maxGroups = 7

// grouped is a number written in groups with one sign between them, such as 212-555-0123.
type grouped struct {
	size [maxGroups]int // digits of each group
	n    int
	end  int
}

// groupsAt reads the groups that begin at from, with one of the signs between two of them, the same one where mixed is false.
func groupsAt(s string, from int, signs string, mixed bool) grouped {
	g := grouped{end: from}
	for i := from; g.n < maxGroups; i++ {
		end := digitsEnd(s, i)
		if end == i {
			break
		}
		g.size[g.n] = end - i
		g.n++
		g.end = end
		if i = end; i == len(s) || !contains(signs, s[i]) {
			break
		}
		if !mixed {
			signs = s[i : i+1]
		}
	}
	return g
}

func contains(signs string, c byte) bool {
	for i := range len(signs) {
		if signs[i] == c {
			return true
		}
	}
	return false
}

// groupedEnd returns where a number in groups ends that is somebody's though it begins like any other: a telephone number of North America, a
// payment card whose check digit is right, a social security number of the United States; -1 where it is none of them.
func groupedEnd(s string, from int) int {
	g := groupsAt(s, from, " -._", false)
	switch g.size {
	case [maxGroups]int{3, 3, 4}:
		if s[from] >= '2' && s[from+4] >= '2' {
			return g.end
		}
	case [maxGroups]int{1, 3, 3, 4}:
		if s[from] == '1' && s[from+2] >= '2' && s[from+6] >= '2' {
			return g.end
		}
	case [maxGroups]int{3, 2, 4}:
		if !year(s[g.end-4 : g.end]) {
			return g.end
		}
	case [maxGroups]int{4, 4, 4, 4}, [maxGroups]int{4, 6, 5}:
		if luhn(s[from:g.end]) && !year(s[from:from+4]) {
			return g.end
		}
	}
	return -1
}

// luhn reports whether the last digit fits those before it.
func luhn(s string) bool {
	sum, double := 0, false
	for i := len(s) - 1; i >= 0; i-- {
		if !isDigit(s[i]) {
			continue
		}
		d := int(s[i] - '0')
		if double {
			d = d*2/10 + d*2%10
		}
		sum += d
		double = !double
	}
	return sum%10 == 0
}

// calendarEnd returns where a date, with a time of day behind it, or a span of hours that begins at from ends; -1 where neither does. Both may begin with 0 and
// have as many digits as a telephone number: 01.02.2026 10:30, 08.30-17.00.
func calendarEnd(s string, from int) int {
	end := dateEnd(s, from)
	if end < 0 {
		return spanEnd(s, from)
	}
	if end < len(s) && contains(" T_-", s[end]) {
		if to := clockEnd(s, end+1); to >= 0 {
			return to
		}
	}
	return end
}

// dateEnd returns where a date in digits ends, and -1 where there is none: 2026-11-22, 22.11.2026, 11/22/2026, 11/2026.
func dateEnd(s string, from int) int {
	g := groupsAt(s, from, ".-/_ ", false)
	whole := func(n int) int { // where the first n groups end
		end := from + n - 1
		for _, size := range g.size[:n] {
			end += size
		}
		return end
	}
	small := func(at, size int) bool { return size <= 2 && value(s[at:at+size]) <= 31 }
	one, two := from, from+g.size[0]+1
	three := two + g.size[1] + 1
	switch {
	case g.n >= 3 && small(one, g.size[0]) && small(two, g.size[1]) && g.size[2] == 4 && year(s[three:three+4]):
		return whole(3)
	case g.n >= 3 && g.size[0] == 4 && year(s[one:one+4]) && small(two, g.size[1]) && small(three, g.size[2]):
		return whole(3)
	case g.n == 2 && small(one, g.size[0]) && value(s[one:one+g.size[0]]) <= 12 && g.size[1] == 4 && year(s[two:two+4]):
		return whole(2)
	}
	return -1
}

// spanEnd returns where a span of hours ends, and -1 where there is none: 08.30-17.00.
func spanEnd(s string, from int) int {
	i := clockEnd(s, from)
	if i < 0 || i == len(s) || s[i] != '-' || s[i-3] == '-' {
		return -1
	}
	return clockEnd(s, i+1)
}

// clockEnd returns where a time of day of two or three groups of two digits ends, and -1 where there is none.
func clockEnd(s string, from int) int {
	g := groupsAt(s, from, ":.-", false)
	if g.n < 2 || g.size[0] != 2 || g.size[1] != 2 || value(s[from:from+2]) > 24 || value(s[from+3:from+5]) > 59 {
		return -1
	}
	if g.n > 2 && g.size[2] == 2 && value(s[from+6:from+8]) <= 60 {
		return from + 8
	}
	return from + 5
}

func year(s string) bool {
	return len(s) == 4 && (s[:2] == "19" || s[:2] == "20")
}

// value returns what a few digits say.
func value(s string) int {
	n := 0
	for i := range len(s) {
		n = n*10 + int(s[i]-'0')
	}
	return n
}
