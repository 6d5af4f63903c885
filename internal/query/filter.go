package query

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/daysalt/daysalt/internal/fault"
)

func operatorNames() []string {
	return []string{string(Is), string(IsNot), string(Contains), string(ContainsNot)}
}

func parseFilters(raw json.RawMessage) ([]Filter, error) {
	values, err := list(raw, "filters", 0, maxFilters)
	if err != nil {
		return nil, err
	}
	filters := make([]Filter, 0, len(values))
	total := 0
	for i, v := range values {
		f, err := parseFilter(v, index("filters", i))
		if err != nil {
			return nil, err
		}
		for _, value := range f.Values {
			total += len(value)
		}
		filters = append(filters, f)
	}
	if total > maxTextBytes {
		return nil, fault.Invalidf("filters", "all values together must have at most %d bytes", maxTextBytes)
	}
	return filters, nil
}

func parseFilter(raw json.RawMessage, field string) (Filter, error) {
	const form = `must be [operator, dimension, values], for example ["is", "event:page", ["/a"]]`
	var f Filter
	parts, err := list(raw, field, 1, 4)
	if err != nil {
		return f, fault.Invalidf(field, form)
	}
	operator, err := text(parts[0], field, maxNameBytes)
	if err != nil {
		return f, fault.Invalidf(field, form)
	}
	if !slices.Contains(operatorNames(), operator) {
		return f, fault.Invalidf(field, "the operator %s is not supported; use %s", cut(operator), strings.Join(operatorNames(), ", "))
	}
	if len(parts) == 4 {
		return f, fault.Invalidf(field, "modifiers such as case_sensitive are not supported yet")
	}
	if len(parts) != 3 {
		return f, fault.Invalidf(field, form)
	}
	c, err := parseDimension(parts[1], field)
	if err != nil {
		return f, err
	}
	if c.class == timeClass {
		return f, fault.Invalidf(field, "time cannot be filtered; use date_range")
	}
	f = Filter{Operator: Operator(operator), Dimension: c.name}
	f.Values, err = parseValues(parts[2], field, f)
	return f, err
}

func parseValues(raw json.RawMessage, field string, f Filter) ([]string, error) {
	values, err := list(raw, field+": values", 1, maxValues)
	if err != nil {
		return nil, err
	}
	texts := make([]string, 0, len(values))
	for _, v := range values {
		s, err := text(v, field+": values", maxValueBytes)
		if err != nil {
			return nil, err
		}
		switch f.Operator {
		case Contains, ContainsNot:
			if s == "" {
				return nil, fault.Invalidf(field+": values", "must not be empty text")
			}
		default:
			if f.Dimension == Country && !isCountry(s) {
				return nil, fault.Invalidf(field+": values", "must be codes of two capital letters such as DE, or %s", notSet)
			}
		}
		texts = append(texts, s)
	}
	return texts, nil
}

// isCountry says whether s is written as a country's code is stored. Another spelling would match nothing.
func isCountry(s string) bool {
	letter := func(b byte) bool { return 'A' <= b && b <= 'Z' }
	return s == "" || s == notSet || len(s) == 2 && letter(s[0]) && letter(s[1])
}
