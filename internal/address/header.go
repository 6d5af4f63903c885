package address

import (
	"net/netip"
	"strings"
)

// All of this reads from the right: what a client wrote stands left of what proxies added, and must not decide how theirs is read.

// lines are the lines of a header section that were not looked at yet.
type lines struct {
	rest string
}

// last takes lines off the end, up to and with the last one of a header, and returns its value. The value of a line that is folded, which servers
// read in different ways, is "".
func (l *lines) last(name string) (value string, is bool) {
	for folded := false; l.rest != ""; {
		end := -1
		if strings.IndexByte(l.rest, '\n') >= 0 { // to look from the right takes longer
			end = strings.LastIndexByte(l.rest, '\n')
		}
		line := strings.TrimSuffix(l.rest[end+1:], "\r")
		l.rest = l.rest[:max(end, 0)]
		if line != "" && (line[0] == ' ' || line[0] == '\t') {
			folded = true // it belongs to the line before
			continue
		}
		if len(line) > len(name) && line[len(name)] == ':' && (line[:len(name)] == name || strings.EqualFold(line[:len(name)], name)) {
			if folded {
				return "", true
			}
			return line[len(name)+1:], true
		}
		folded = false
	}
	return "", false
}

// cutLast cuts the last part off a list at its last separator outside of quotes. A part whose quotes do not match, or that has a backslash outside
// of them, is "", and nothing is before it. X-Forwarded-For has no quotes, and an entry with one is no address either way.
func cutLast(list string, separator byte) (before, part string, more bool) {
	quoted := false
	for i := len(list) - 1; i >= 0; i-- {
		if c := list[i]; c != separator && c != '"' && c != '\\' {
			continue
		}
		switch {
		case list[i] == separator && !quoted:
			return list[:i], list[i+1:], true
		case list[i] == '"' && !isEscaped(list, i):
			quoted = !quoted
		case list[i] == '\\' && !quoted:
			return "", "", false
		}
	}
	if quoted {
		return "", "", false
	}
	return "", list, false
}

// isEscaped says whether an odd number of backslashes stands before i.
func isEscaped(s string, i int) bool {
	before := strings.TrimRight(s[:i], `\`)
	return (i-len(before))%2 == 1
}

// forValue returns what the one "for" of an element of Forwarded says, without quotes around it: "" where there is none or more than one.
func forValue(element string) string {
	value, seen := "", false
	for more := true; more; {
		var pair string
		element, pair, more = cutLast(element, ';')
		name, text, _ := strings.Cut(pair, "=")
		if !strings.EqualFold(trim(name), "for") {
			continue
		}
		if seen {
			return ""
		}
		value, seen = trim(text), true
	}
	if n := len(value); n >= 2 && value[0] == '"' && value[n-1] == '"' {
		return value[1 : n-1] // escapes stay: no address needs one
	}
	return value
}

// parse returns the address of an entry, unmapped and without port and zone, or an invalid one where it is none.
func parse(entry string) netip.Addr {
	if a, is := parse4(entry); is {
		return a
	}
	host, port, six := trim(entry), "", false
	if strings.HasPrefix(host, "[") {
		if host, port, six = strings.Cut(host[1:], "]"); !six {
			return netip.Addr{}
		}
	} else if i := strings.IndexByte(host, ':'); i >= 0 && strings.LastIndexByte(host, ':') == i {
		host, port = host[:i], host[i:]
	}
	if port != "" && !isPort(port) {
		return netip.Addr{}
	}
	// A zone is cut off before netip sees it, which would keep a copy.
	host, zone, zoned := strings.Cut(host, "%")
	six = six || zoned
	if zoned && zone == "" || six && strings.IndexByte(host, ':') < 0 || !mayBeAddress(host) {
		return netip.Addr{}
	}
	a, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Addr{}
	}
	return a.Unmap()
}

// parse4 reads an entry that is an IPv4 address and nothing more than blanks, as nearly all are.
func parse4(entry string) (netip.Addr, bool) {
	for entry != "" && entry[0] == ' ' {
		entry = entry[1:]
	}
	var octets [4]byte
	octet, digits, dots := 0, 0, 0
	for i := range len(entry) {
		c := entry[i] - '0'
		switch {
		case c <= 9 && (digits == 0 || octet > 0): // no noughts before other digits
			octet = 10*octet + int(c)
			digits++
			if octet > 255 {
				return netip.Addr{}, false
			}
		case entry[i] == '.' && digits > 0 && dots < 3:
			octets[dots] = byte(octet)
			dots++
			octet, digits = 0, 0
		default:
			return netip.Addr{}, false
		}
	}
	octets[3] = byte(octet)
	return netip.AddrFrom4(octets), dots == 3 && digits > 0
}

// isPort says whether text is a colon with a port of digits, or with one of RFC 7239's hidden ones.
func isPort(text string) bool {
	if len(text) < 2 || text[0] != ':' {
		return false
	}
	if port := text[1:]; port[0] != '_' {
		return len(port) <= 5 && strings.Trim(port, "0123456789") == ""
	}
	return len(text) > 2 && !strings.ContainsFunc(text[2:], notToken)
}

// mayBeAddress says whether text has the length and the characters of an address. netip, which decides, allocates an error where it does not.
func mayBeAddress(text string) bool {
	const longest = len("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255")
	if len(text) > longest || !strings.ContainsAny(text, ".:") {
		return false
	}
	for i := range len(text) {
		switch c := text[i]; {
		case '0' <= c && c <= '9', 'a' <= c && c <= 'f', 'A' <= c && c <= 'F', c == '.', c == ':':
		default:
			return false
		}
	}
	return true
}

// trim takes off the white space that may stand around anything.
func trim(s string) string { return strings.Trim(s, " \t") }
