package web

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/daysalt/daysalt/internal/site"
)

// maxBack bounds the address that somebody comes from, in bytes.
const maxBack = 2000

// backTo returns the address, without its fragment, that a visitor of the opt-out page may be sent back to, and whether text is one: a whole http or
// https address on a host of the site's own, as browsers write it.
//
// Nothing is made out of what browsers and this code could read differently: an authority is letters, digits, dots, hyphens, underscores and a port, and backslashes,
// blanks and controls are nowhere. What else is not for an address is escaped, so that the answer is ASCII.
func backTo(s *site.Site, text string) (string, bool) {
	if len(text) > maxBack || !utf8.ValidString(text) || strings.ContainsFunc(text, isControl) {
		return "", false
	}
	text, _, _ = strings.Cut(text, "#")
	scheme, rest, _ := strings.Cut(text, "://")
	scheme = strings.ToLower(scheme)
	if scheme != "http" && scheme != "https" {
		return "", false
	}
	authority, path := rest, "/"
	if at := strings.IndexAny(rest, "/?"); at >= 0 {
		authority, path = rest[:at], rest[at:]
	}
	if path[0] == '?' {
		path = "/" + path
	}
	host, port, hasPort := strings.Cut(strings.ToLower(authority), ":")
	if hasPort {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return "", false
		}
		port = ":" + port
	}
	if host == "" || strings.Trim(host, "abcdefghijklmnopqrstuvwxyz0123456789-_.") != "" || strings.HasSuffix(host, ".") || !s.OwnHost(host) {
		return "", false
	}
	return scheme + "://" + host + port + escaped(path), true
}

// isControl says whether a character must not stand in an address: browsers drop some of these, and take a backslash for a slash.
func isControl(c rune) bool { return c <= ' ' || c == 0x7f || c == '\\' }

// escaped returns a path and query in which everything that may not stand there is percent-encoded.
func escaped(text string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(text) {
		if c := text[i]; c > 0x7f || strings.IndexByte("\"<>^`{|}", c) >= 0 {
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
