package query

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/daysalt/daysalt/internal/fault"
)

// quotedBytes is how much of a wrong name is repeated to who asked.
const quotedBytes = 64

// members reads a JSON object and hands each member to read. encoding/json's own decoding into a struct would take members in any letter case
// and the last of two with the same name; a question must mean what it says, so both are refused.
func members(raw json.RawMessage, field string, read func(name string, value json.RawMessage) error) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return fault.Invalidf(field, "must be a JSON object")
	}
	seen := make(map[string]bool)
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return fault.Invalidf(field, "must be a JSON object")
		}
		key, _ := name.(string)
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return fault.Invalidf(field, "must be a JSON object")
		}
		if seen[key] {
			return fault.Invalidf(join(field, key), "is there twice")
		}
		seen[key] = true
		if err := read(key, value); err != nil {
			return err
		}
	}
	return nil
}

// list reads a JSON array of least to most values.
func list(raw json.RawMessage, field string, least, most int) ([]json.RawMessage, error) {
	var values []json.RawMessage
	if raw[0] != '[' || json.Unmarshal(raw, &values) != nil {
		return nil, fault.Invalidf(field, "must be a list")
	}
	if len(values) < least {
		return nil, fault.Invalidf(field, "must not be empty")
	}
	if len(values) > most {
		return nil, fault.Invalidf(field, "must have at most %d values", most)
	}
	return values, nil
}

// text reads a JSON string of at most most bytes.
func text(raw json.RawMessage, field string, most int) (string, error) {
	var s string
	if raw[0] != '"' || json.Unmarshal(raw, &s) != nil {
		return "", fault.Invalidf(field, "must be text")
	}
	if len(s) > most {
		return "", fault.Invalidf(field, "must have at most %d bytes", most)
	}
	return s, nil
}

func truth(raw json.RawMessage, field string) (bool, error) {
	switch string(raw) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, fault.Invalidf(field, "must be true or false")
}

func whole(raw json.RawMessage, field string, least, most int) (int, error) {
	n, err := strconv.Atoi(string(raw))
	if err != nil || n < least || n > most {
		return 0, fault.Invalidf(field, "must be a whole number from %d to %d", least, most)
	}
	return n, nil
}

// unknown says that a member is not known, and which are.
func unknown(field, name string, allowed ...string) error {
	return fault.Invalidf(join(field, name), "is not known; use %s", strings.Join(allowed, ", "))
}

// unknownValue says that a value is not known, and which are.
func unknownValue(field, value string, allowed ...string) error {
	return fault.Invalidf(field, "%s is not known; use %s", cut(value), strings.Join(allowed, ", "))
}

// join names a member of a field, and cuts what was made up by who asked.
func join(field, name string) string {
	name = cut(name)
	if field == "" {
		return name
	}
	return field + "." + name
}

func index(field string, i int) string { return field + "[" + strconv.Itoa(i) + "]" }

// cut shortens s for a message, at a character's end, and makes what does not print visible.
func cut(s string) string {
	if len(s) > quotedBytes {
		s = s[:quotedBytes]
		for !utf8.ValidString(s) {
			s = s[:len(s)-1]
		}
		s += "..."
	}
	q := strconv.Quote(s)
	return q[1 : len(q)-1]
}
