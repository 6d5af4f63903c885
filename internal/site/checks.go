package site

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/daysalt/daysalt/internal/fault"
)

// What is allowed.
const (
	maxRetention  = 3650 // days
	maxMinimum    = 1000 // visitors
	maxAllowProps = 50   // names
	maxPropName   = 300  // bytes, as long as a property's name may be
	maxBrandName  = 60   // characters
)

func checkRetention(days int) error {
	if days < 1 || days > maxRetention {
		return badRetention(strconv.Itoa(days))
	}
	return nil
}

func badRetention(days string) error {
	return fault.Invalidf("retention_days", "is %s, and must be between 1 and %d", days, maxRetention)
}

func checkMask(level int) error {
	if level < 1 || level > 4 {
		return badMask(strconv.Itoa(level))
	}
	return nil
}

func badMask(level string) error {
	return fault.Invalidf("address_mask", "is %s, and must be between 1 (/24 and /64 are left) and 4 (nothing is left)", level)
}

func checkMinVisitors(n int) error {
	if n < 0 || n > maxMinimum {
		return badMinVisitors(strconv.Itoa(n))
	}
	return nil
}

func badMinVisitors(n string) error {
	return fault.Invalidf("min_visitors", "is %s, and must be between 0 (answers show every row) and %d", n, maxMinimum)
}

func checkAllowProps(names []string) error {
	if len(names) > maxAllowProps {
		return fault.Invalidf("allow_props", "has %d names, and must have at most %d", len(names), maxAllowProps)
	}
	for i, name := range names {
		switch {
		case name == "" || len(name) > maxPropName:
			return fault.Invalidf("allow_props", "has %d bytes in name %d, and must have 1 to %d", len(name), i+1, maxPropName)
		case strings.Contains(name, ",") || !utf8.ValidString(name):
			return fault.Invalidf("allow_props", "is %q in name %d, and must be UTF-8 without a comma", name, i+1)
		case slices.Contains(names[:i], name):
			return fault.Invalidf("allow_props", "has %q twice, and must have each name once", name)
		}
	}
	return nil
}

// parseBrandName returns the name without blanks around it; "" asks for the domain instead.
func parseBrandName(text string) (string, error) {
	text = strings.TrimSpace(text)
	if n := utf8.RuneCountInString(text); n > maxBrandName {
		return "", fault.Invalidf("brand_name", "has %d characters, and must have at most %d", n, maxBrandName)
	}
	if !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
		return "", fault.Invalidf("brand_name", "must be one line of UTF-8 without control characters")
	}
	return text, nil
}

// parseBrandColor returns the colour in lower case; "" asks for the default. Every colour will do: black or white text has a contrast of
// 4.5 or more with any, and the page takes the better.
func parseBrandColor(text string) (string, error) {
	color := strings.ToLower(text)
	digits, found := strings.CutPrefix(color, "#")
	if color != "" && (!found || len(digits) != 6 || strings.Trim(digits, "0123456789abcdef") != "") {
		return "", fault.Invalidf("brand_color", "is %q, and must be #rrggbb such as #1a5fb4, or empty for the default; any colour will do, the text on it is black or white", text)
	}
	return color, nil
}
