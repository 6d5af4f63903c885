package source

import (
	"net/netip"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds, in bytes.
const (
	maxRead     = 4096 // of a referrer that is looked at
	maxReferrer = 2000 // of a referrer that is kept
	maxSource   = 256  // of a source
	maxHost     = 253  // of a host, as in DNS
)

// referrer is an address in pieces.
type referrer struct {
	app  bool   // android-app://, where host is a package
	host string // lower case, without port and trailing dot; "[::1]" for IPv6
	path string // "" or with a slash at its start and none at its end
	both string // host and path where they stand together in what was parsed, else ""
}

// parse cuts an address into pieces, and reports whether it is one of a page: with the scheme http, https or android-app, and a host.
// It reads addresses as browsers do: a backslash is a slash, what stands before the last "@" is a user name.
func parse(s string) (referrer, bool) {
	s = strings.Trim(cut(s, maxRead), " \t\r\n")
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok {
		return referrer{}, false
	}
	r := referrer{app: strings.EqualFold(scheme, "android-app")}
	if !r.app && !strings.EqualFold(scheme, "https") && !strings.EqualFold(scheme, "http") {
		return referrer{}, false
	}
	authority, tail := rest, ""
	if i := strings.IndexAny(rest, `/\?#`); i >= 0 {
		authority, tail = rest[:i], rest[i:]
	}
	host, ok := hostOf(authority)
	if !ok {
		return referrer{}, false
	}
	path := pathOf(tail)
	if host == authority && strings.HasPrefix(tail, path) {
		r.both = rest[:len(host)+len(path)]
	}
	r.host, r.path = host, path
	return r, true
}

// parsePlain is parse for an address as nearly all are written: with a scheme and a host in small letters, and a path without blanks and anything beyond
// ASCII. It answers false for any other, and parse must look.
func parsePlain(s string) (referrer, bool) {
	var rest string
	switch {
	case len(s) > maxRead:
		return referrer{}, false
	case strings.HasPrefix(s, "https://"):
		rest = s[len("https://"):]
	case strings.HasPrefix(s, "http://"):
		rest = s[len("http://"):]
	default:
		return referrer{}, false
	}
	end := 0
	for end < len(rest) && plain[rest[end]]&inHost != 0 {
		end++
	}
	host := rest[:end]
	if len(host) > maxHost || !dotsApart(host) {
		return referrer{}, false
	}
	to := end
	for to < len(rest) && plain[rest[to]]&inPath != 0 {
		to++
	}
	if to < len(rest) && rest[to] != '?' && rest[to] != '#' || to > end && rest[end] != '/' {
		return referrer{}, false
	}
	for to > end && rest[to-1] == '/' {
		to--
	}
	return referrer{host: host, path: rest[end:to], both: rest[:to]}, true
}

// plainClass says where a byte may be in an address as nearly all are written.
type plainClass uint8

const (
	inHost plainClass = 1 << iota
	inPath
)

// plain is made once at start and never changed.
var plain = func() (t [256]plainClass) {
	for c := '!'; c <= '~'; c++ {
		if c != '?' && c != '#' && c != '\\' {
			t[c] = inPath
		}
		if 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '.' || c == '-' || c == '_' {
			t[c] |= inHost
		}
	}
	return t
}()

// plainHost reports whether hostOf returns s as it is.
func plainHost(s string) bool {
	for i := range len(s) {
		if plain[s[i]]&inHost == 0 {
			return false
		}
	}
	return len(s) <= maxHost && dotsApart(s)
}

// dotsApart reports whether there is something between all dots of a host, and before and behind them.
func dotsApart(host string) bool {
	before := byte('.')
	for i := range len(host) {
		if host[i] == '.' && before == '.' {
			return false
		}
		before = host[i]
	}
	return before != '.'
}

// hostOf returns the host of an authority in lower case, and reports whether it is one.
func hostOf(authority string) (string, bool) {
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		authority = authority[i+1:]
	}
	if strings.HasPrefix(authority, "[") {
		end := strings.IndexByte(authority, ']')
		if end < 0 || !portOrNothing(authority[end+1:]) {
			return "", false
		}
		addr, err := netip.ParseAddr(authority[1:end])
		if err != nil || !addr.Is6() || addr.Zone() != "" {
			return "", false
		}
		return strings.ToLower(authority[:end+1]), true
	}
	host := authority
	if i := strings.IndexByte(authority, ':'); i >= 0 {
		if !portOrNothing(authority[i:]) {
			return "", false
		}
		host = authority[:i]
	}
	host = strings.TrimRight(host, ".")
	if host == "" || len(host) > maxHost || host[0] == '.' || strings.Contains(host, "..") || !hostBytes(host) {
		return "", false
	}
	return strings.ToLower(host), true
}

// portOrNothing reports whether s is empty, or ":" with digits after it.
func portOrNothing(s string) bool {
	if s == "" {
		return true
	}
	return s[0] == ':' && strings.Trim(s[1:], "0123456789") == ""
}

// hostBytes reports whether a host holds only what hosts hold. Letters beyond ASCII are for those who write names as they are spoken.
func hostBytes(host string) bool {
	for i, c := range host {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '.', c == '-', c == '_':
		case c == utf8.RuneError, c < utf8.RuneSelf, !unicode.IsLetter(c) && (i == 0 || !unicode.IsMark(c)):
			return false
		}
	}
	return true
}

// pathOf returns the path that an address goes on with after its host, without slashes at its end. A path that cannot be shown is left away.
func pathOf(tail string) string {
	if i := strings.IndexAny(tail, "?#"); i >= 0 {
		tail = tail[:i]
	}
	if !printable(tail) {
		return ""
	}
	if strings.IndexByte(tail, '\\') >= 0 {
		tail = strings.ReplaceAll(tail, `\`, "/")
	}
	return strings.TrimRight(tail, "/")
}

// bare returns the host as a source.
func (r referrer) bare() string {
	if r.app {
		return cut(r.host, maxSource)
	}
	return cut(withoutWWW(r.host), maxSource)
}

// keep returns the host and the path, cut to what is kept.
func (r referrer) keep() string {
	s := r.both
	if s == "" {
		s = r.host + r.path
	}
	if !r.app {
		s = withoutWWW(s)
	}
	if len(s) > maxReferrer {
		s = strings.TrimRight(cut(s, maxReferrer), "/")
	}
	return s
}

// local reports whether a host is the visitor's own machine, which says nothing of where the visit came from.
func local(host string) bool {
	if host == "localhost" {
		return true
	}
	if host[0] != '[' && (host[0] < '0' || host[0] > '9') {
		return false
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && (addr.IsLoopback() || addr.IsUnspecified())
}

// printable reports whether s is text without control characters, line breaks or characters that cannot be seen.
func printable(s string) bool {
	for _, c := range s {
		if c < ' ' || c == 0x7f || c == utf8.RuneError || c >= utf8.RuneSelf && !unicode.IsPrint(c) {
			return false
		}
	}
	return true
}

// fit returns s without spaces around it and without what is not printable, cut to n bytes.
func fit(s string, n int) string {
	if len(s) <= n && fits(s) {
		return s
	}
	s = strings.TrimSpace(cut(s, maxRead))
	if !printable(s) {
		s = strings.TrimSpace(strings.Map(func(c rune) rune {
			if c == utf8.RuneError || !unicode.IsPrint(c) {
				return -1
			}
			return c
		}, s))
	}
	return strings.TrimSpace(cut(s, n))
}

// fits reports whether s is letters of ASCII, digits and signs, so that there is nothing to take out.
func fits(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return true
}

// cut returns the first n bytes of s or less, without a piece of a character at its end.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
