package ingest

import (
	"errors"
	"strings"
	"unicode/utf8"
)

// maxParam bounds a campaign value, in bytes.
const maxParam = 300

var errScheme = errors.New("must not be a data: URL")

// page is what is kept of a page's address: host, path and a closed list of query parameters. Everything else of the query, the user name and
// the password are never copied anywhere.
type page struct {
	host string // lower case, without "www." and port; "(none)" where the URL has none
	path string // percent-decoded, begins with "/"

	utmSource, utmMedium, utmCampaign, utmContent, utmTerm string
	source, ref                                            string
	clickID                                                string // the parameter's name
}

// parse cuts a URL into its parts. Decoded text goes to scratch, which is returned grown. hash appends the fragment to the path, up to a question mark; one that holds "=" is
// taken for a query.
func (p *page) parse(url string, hash bool, scratch []byte) ([]byte, error) {
	*p = page{host: "(none)"}
	if len(url) >= 5 && url[0]|0x20 == 'd' && strings.EqualFold(url[:5], "data:") {
		return scratch, errScheme
	}
	query, fragment, plain := p.readPlain(url)
	if !plain {
		query, fragment, scratch = p.readAny(url, scratch)
	}
	fragment, _, _ = strings.Cut(fragment, "?")
	if hash && fragment != "" && !strings.Contains(fragment, "=") { // with one, it is a query and no page
		from := len(scratch)
		scratch = append(append(append(scratch, p.path...), '#'), fragment...)
		p.path = view(scratch[from:])
		p.path, scratch = clean(p.path, scratch)
	}
	scratch = p.readQuery(query, scratch)
	return scratch, nil
}

// readPlain reads host and path of an address as nearly all are written: with a host in small letters and nothing escaped in the path. It answers false
// for any other, and readAny must read it.
func (p *page) readPlain(url string) (query, fragment string, is bool) {
	rest, ok := strings.CutPrefix(url, "https://")
	if !ok {
		if rest, ok = strings.CutPrefix(url, "http://"); !ok {
			return "", "", false
		}
	}
	end := 0
	for end < len(rest) && hostByte(rest[end]) {
		end++
	}
	to := end
	for to < len(rest) && rest[to] != '?' && rest[to] != '#' {
		if rest[to] == '%' {
			return "", "", false
		}
		to++
	}
	path := "/"
	if to > end {
		path = rest[end:to]
	}
	if path[0] != '/' {
		return "", "", false
	}
	if host := trimHost(rest[:end]); host != "" {
		p.host = host
	}
	p.path = strings.TrimRight(path, " ")
	query = rest[to:]
	if at := strings.IndexByte(query, '#'); at >= 0 {
		query, fragment = query[:at], query[at+1:]
	}
	return strings.TrimPrefix(query, "?"), fragment, true
}

// hostByte says whether a byte stands for itself in a host.
func hostByte(c byte) bool {
	return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '.' || c == '-' || c == '_'
}

// readAny reads host and path, however they are written.
func (p *page) readAny(url string, scratch []byte) (query, fragment string, _ []byte) {
	rest, fragment, _ := strings.Cut(strings.TrimPrefix(url, "view-source:"), "#")
	rest, query, _ = strings.Cut(rest, "?")
	if after, ok := authority(rest); ok {
		rest = after
		end := 0
		for end < len(rest) && rest[end] != '/' && rest[end] != '\\' {
			end++
		}
		var host string
		host, scratch = hostOf(rest[:end], scratch)
		if host != "" {
			p.host = host
		}
		rest = rest[end:]
	}
	escaped := strings.IndexByte(rest, '%') >= 0
	if escaped {
		rest, scratch = decode(rest, false, scratch)
	}
	if !strings.HasPrefix(rest, "/") {
		from := len(scratch)
		scratch = append(append(scratch, '/'), rest...)
		rest = view(scratch[from:])
	}
	if escaped {
		if end := strings.IndexAny(rest, "?#"); end >= 0 { // escaped, so that it looked like a part of the path
			rest = rest[:end]
		}
	}
	p.path = strings.TrimRight(rest, " ")
	return query, fragment, scratch
}

// authority returns what follows "scheme://" or "//", and whether there is any.
func authority(url string) (string, bool) {
	if after, ok := strings.CutPrefix(url, "https://"); ok {
		return after, true
	}
	if after, ok := strings.CutPrefix(url, "//"); ok {
		return after, true
	}
	scheme, after, ok := strings.Cut(url, "://")
	return after, ok && isScheme(scheme)
}

// readQuery takes the parameters of the closed list.
func (p *page) readQuery(query string, scratch []byte) []byte {
	for query != "" {
		var key, value string
		var escaped bool
		key, value, query, escaped = cutPair(query)
		to := p.param(key)
		if to == nil || *to != "" || value == "" {
			continue
		}
		if to == &p.clickID {
			*to = key
			continue
		}
		if escaped {
			value, scratch = decode(value, true, scratch)
		}
		*to = cut(strings.TrimSpace(value), maxParam)
	}
	return scratch
}

// cutPair returns the first parameter of a query, what follows it, and whether anything may be escaped in the value.
func cutPair(query string) (key, value, rest string, escaped bool) {
	equals, end := -1, 0
	for ; end < len(query) && query[end] != '&'; end++ {
		switch query[end] {
		case '=':
			if equals < 0 {
				equals = end
			}
		case '%', '+':
			escaped = true
		}
	}
	rest = query[min(end+1, len(query)):]
	if equals < 0 {
		return query[:end], "", rest, escaped
	}
	return query[:equals], query[equals+1 : end], rest, escaped
}

func (p *page) param(key string) *string {
	switch key {
	case "utm_source":
		return &p.utmSource
	case "utm_medium":
		return &p.utmMedium
	case "utm_campaign":
		return &p.utmCampaign
	case "utm_content":
		return &p.utmContent
	case "utm_term":
		return &p.utmTerm
	case "source":
		return &p.source
	case "ref":
		return &p.ref
	case "gclid", "gbraid", "wbraid", "msclkid", "fbclid", "twclid":
		return &p.clickID
	}
	return nil
}

// hostOf returns the host of an authority: no user name, no port, no "www.", lower case.
func hostOf(authority string, scratch []byte) (string, []byte) {
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		authority = authority[at+1:]
	}
	host := authority
	if strings.HasPrefix(host, "[") {
		if end := strings.IndexByte(host, ']'); end >= 0 {
			host = host[:end+1]
		}
	} else if colon := strings.IndexByte(host, ':'); colon >= 0 {
		host = host[:colon]
	}
	host, scratch = lower(host, scratch)
	return trimHost(host), scratch
}

// trimHost returns a host without "www." and the dot at its end.
func trimHost(host string) string {
	return cut(strings.TrimSuffix(strings.TrimPrefix(host, "www."), "."), 255)
}

// lower returns s with small letters in place of the capitals of ASCII.
func lower(s string, scratch []byte) (string, []byte) {
	capital := 0
	for capital < len(s) && (s[capital] < 'A' || s[capital] > 'Z') {
		capital++
	}
	if capital == len(s) {
		return s, scratch
	}
	from := len(scratch)
	for i := range len(s) {
		c := s[i]
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		scratch = append(scratch, c)
	}
	return view(scratch[from:]), scratch
}

func isScheme(s string) bool {
	for i := range len(s) {
		c := s[i] | 0x20
		if (c < 'a' || c > 'z') && (i == 0 || (s[i] != '+' && s[i] != '-' && s[i] != '.' && (s[i] < '0' || s[i] > '9'))) {
			return false
		}
	}
	return s != ""
}

// decode undoes percent-encoding (and, in a query, "+"). A broken escape stays as it is; what is no printable UTF-8 becomes U+FFFD.
func decode(s string, query bool, scratch []byte) (string, []byte) {
	if strings.IndexByte(s, '%') < 0 && (!query || strings.IndexByte(s, '+') < 0) {
		return s, scratch
	}
	from := len(scratch)
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '+' && query:
			c = ' '
		case c == '%' && i+2 < len(s):
			high, ok1 := unhex(s[i+1])
			low, ok2 := unhex(s[i+2])
			if ok1 && ok2 {
				c = high<<4 | low
				i += 2
			}
		}
		scratch = append(scratch, c)
	}
	return clean(view(scratch[from:]), scratch)
}

// clean replaces what is no valid UTF-8 and every control character by U+FFFD.
func clean(s string, scratch []byte) (string, []byte) {
	if utf8.ValidString(s) && !hasControl(s) {
		return s, scratch
	}
	from := len(scratch)
	for _, r := range s {
		if r < 0x20 || r == 0x7f {
			r = utf8.RuneError
		}
		scratch = utf8.AppendRune(scratch, r)
	}
	return view(scratch[from:]), scratch
}

// cut shortens s to at most n bytes without splitting a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

func runeCount(s string) int { return utf8.RuneCountInString(s) }
