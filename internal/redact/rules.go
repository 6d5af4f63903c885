package redact

import (
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/daysalt/daysalt/internal/fault"
)

// Bounds of a site's own rules.
const (
	maxRules  = 20
	maxMatch  = 200 // bytes of a rule's expression
	maxName   = 30  // bytes between the braces of a placeholder
	maxGrowth = 256 // bytes by which all rules together make a text longer
)

// Field says what a text is.
type Field uint8

// The fields. Page is the path of a page, which a rule names "path".
const (
	Page Field = iota
	Referrer
	Campaign
	Props
	Name
	fields
)

// fieldNames are the fields as rules name them.
var fieldNames = [fields]string{"path", "referrer", "campaign", "props", "name"}

// Rule is what the people of a site write.
type Rule struct {
	Field string `json:"field"` // path, referrer, campaign, props, name, or all
	Match string `json:"match"` // an RE2 expression; where it has a group, the first group is what goes, else the whole match
	As    string `json:"as"`    // what stands there instead: {customer}
}

// Rules are a site's rules, ready to use. They are immutable, and nil ones do nothing.
type Rules struct {
	rules []rule
}

type rule struct {
	in    [fields]bool
	match *regexp.Regexp
	as    string
}

// Compile makes rules ready, and returns nil where there are none. It fails with Invalid naming the member that is wrong, such as
// "redact[2].match".
func Compile(rules []Rule) (*Rules, error) {
	if len(rules) == 0 {
		return nil, nil //nolint:nilnil // nil rules are rules that do nothing
	}
	if len(rules) > maxRules {
		return nil, fault.Invalidf("redact", "has %d rules, and may have %d at most", len(rules), maxRules)
	}
	compiled := make([]rule, len(rules))
	for i, r := range rules {
		var err *fault.Error
		if compiled[i], err = compile(r); err != nil {
			err.Field = "redact[" + strconv.Itoa(i) + "]." + err.Field
			return nil, err
		}
	}
	return &Rules{compiled}, nil
}

func compile(r Rule) (rule, *fault.Error) {
	c := rule{as: r.As}
	known := false
	for f, name := range fieldNames {
		c.in[f] = r.Field == name || r.Field == "all"
		known = known || c.in[f]
	}
	if !known {
		return rule{}, fault.Invalidf("field", "is %q, and must be %s or all", r.Field, strings.Join(fieldNames[:], ", "))
	}
	if r.Match == "" || len(r.Match) > maxMatch {
		return rule{}, fault.Invalidf("match", "has %d bytes, and must have 1 to %d", len(r.Match), maxMatch)
	}
	var err error
	if c.match, err = regexp.Compile(r.Match); err != nil {
		return rule{}, fault.Invalidf("match", "is no RE2 expression: %s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	if c.match.MatchString("") {
		return rule{}, fault.Invalidf("match", "matches an empty text, and must not")
	}
	if !placeholder(r.As) {
		return rule{}, fault.Invalidf("as", "is %q, and must be a name in braces such as {customer}: a to z, 0 to 9, - and _, %d at most", r.As, maxName)
	}
	if again, _ := Text(r.As, nil); again != r.As {
		return rule{}, fault.Invalidf("as", "is %q, which looks like personal data itself", r.As)
	}
	return c, nil
}

// placeholder reports whether s is a name in braces.
func placeholder(s string) bool {
	if len(s) < 3 || len(s) > maxName+2 || s[0] != '{' || s[len(s)-1] != '}' {
		return false
	}
	for _, c := range []byte(s[1 : len(s)-1]) {
		if !isDigit(c) && (c < 'a' || c > 'z') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

// Apply replaces what the rules for a field match, rule by rule in their order. The result is s itself or a view of the returned scratch, which
// is scratch with more in it. It is at most 256 bytes longer than s: what rules would add beyond is cut off the end. It allocates only where a rule
// matches.
func (r *Rules) Apply(f Field, s string, scratch []byte) (string, []byte) {
	if r == nil || f >= fields {
		return s, scratch
	}
	limit := len(s) + maxGrowth
	for i := range r.rules {
		if r.rules[i].in[f] && r.rules[i].match.MatchString(s) {
			s, scratch = r.rules[i].apply(s, limit, scratch)
		}
	}
	return s, scratch
}

func (r *rule) apply(s string, limit int, scratch []byte) (string, []byte) {
	from, done := len(scratch), 0
	for _, at := range r.match.FindAllStringSubmatchIndex(s, -1) {
		start, end := at[0], at[1]
		if len(at) > 2 && at[2] >= 0 {
			start, end = at[2], at[3]
		}
		if start == end {
			continue
		}
		scratch = append(append(scratch, s[done:start]...), r.as...)
		done = end
		if len(scratch)-from > limit {
			done = len(s)
			break
		}
	}
	if done == 0 {
		return s, scratch
	}
	scratch = append(scratch, s[done:]...)
	if n := len(scratch); n-from > limit {
		n = from + limit
		for n > from && !utf8.RuneStart(scratch[n]) {
			n--
		}
		scratch = scratch[:n]
	}
	return view(scratch[from:]), scratch
}
