package site

import (
	"strings"

	"github.com/daysalt/daysalt/internal/fault"
	"github.com/daysalt/daysalt/internal/redact"
)

// Redacted returns what is stored of a text in a field of the site: first what looks like personal data on every site is taken out, then the
// site's own rules apply. A page's text is its path, a referrer's what comes after its host, from the slash. The result is a view of text or of the
// returned scratch, which is scratch with more in it.
func (s *Site) Redacted(f redact.Field, text string, scratch []byte) (string, []byte) {
	if text == "" {
		return "", scratch
	}
	if f == redact.Page || f == redact.Referrer {
		text, scratch = redact.Path(text, scratch)
	} else {
		text, scratch = redact.Text(text, scratch)
	}
	return s.Redact.Apply(f, text, scratch)
}

// Try returns what is stored of a text in the field of that name: path, referrer (host and path), campaign, props or name. Queries, fragments and
// user names of web addresses have gone before. It fails with Invalid where there is no such field.
func (s *Site) Try(field, text string) (string, error) {
	var f redact.Field
	switch field {
	case "path":
		f = redact.Page
	case "referrer":
		at := strings.IndexByte(text, '/')
		if at < 0 {
			return text, nil
		}
		path, _ := s.Redacted(redact.Referrer, text[at:], nil)
		return text[:at] + path, nil
	case "campaign":
		f = redact.Campaign
	case "props":
		f = redact.Props
	case "name":
		f = redact.Name
	default:
		return "", fault.Invalidf("field", "is %q, and must be path, referrer, campaign, props or name", field)
	}
	text, _ = s.Redacted(f, text, nil)
	return strings.Clone(text), nil
}
