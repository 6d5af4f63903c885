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

// parsePage cuts a URL into its parts. Decoded text goes to scratch, which is returned grown. hash appends the fragment to the path, up to a question mark; one that holds "=" is
// taken for a query.
func parsePage(url string, hash bool, scratch []byte) (page, []byte, error) {
	p := page{host: "(none)"}
	if len(url) >= 5 && strings.EqualFold(url[:5], "data:") {
		return page{}, scratch, errScheme
	}
	rest, fragment, _ := strings.Cut(strings.TrimPrefix(url, "view-source:"), "#")
	rest, query, _ := strings.Cut(rest, "?")
	if after, ok := authority(rest); ok {
		rest = after
		end := strings.IndexAny(rest, "/\\")
		if end < 0 {
			end = len(rest)
		}
		var host string
		host, scratch = hostOf(rest[:end], scratch)
		if host != "" {
			p.host = host
		}
		rest = rest[end:]
	}
	if rest, scratch = decode(rest, false, scratch); !strings.HasPrefix(rest, "/") {
		from := len(scratch)
		scratch = append(append(scratch, '/'), rest...)
		rest = view(scratch[from:])
	}
	if end := strings.IndexAny(rest, "?#"); end >= 0 { // escaped, so that it looked like a part of the path
		rest = rest[:end]
	}
	p.path = strings.TrimRight(rest, " ")
	fragment, _, _ = strings.Cut(fragment, "?")
	if hash && fragment != "" && !strings.Contains(fragment, "=") { // with one, it is a query and no page
		from := len(scratch)
		scratch = append(append(append(scratch, p.path...), '#'), fragment...)
		p.path = view(scratch[from:])
		p.path, scratch = clean(p.path, scratch)
	}
	scratch = p.readQuery(query, scratch)
	return p, scratch, nil
}

// authority returns what follows "scheme://" or "//", and whether there is any.
func authority(url string) (string, bool) {
	if after, ok := strings.CutPrefix(url, "//"); ok {
		return after, true
	}
	scheme, after, ok := strings.Cut(url, "://")
	return after, ok && isScheme(scheme)
}

// readQuery takes the parameters of the closed list.
func (p *page) readQuery(query string, scratch []byte) []byte {
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		key, value, _ := strings.Cut(pair, "=")
		to := p.param(key)
		if to == nil || *to != "" || value == "" {
			continue
		}
		if to == &p.clickID {
			*to = key
			continue
		}
		value, scratch = decode(value, true, scratch)
		*to = cut(strings.TrimSpace(value), maxParam)
	}
	return scratch
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
	from := len(scratch)
	for i := range len(host) {
		c := host[i]
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		scratch = append(scratch, c)
	}
	host = strings.TrimSuffix(strings.TrimPrefix(view(scratch[from:]), "www."), ".")
	return cut(host, 255), scratch
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
