package ingest

import (
	"errors"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"
)

// What the scanner refuses, so that a hostile body costs no more than its length.
const (
	maxDepth   = 8  // objects and arrays inside each other
	maxMembers = 64 // members of one object
)

var (
	errJSON   = errors.New("the body is not valid JSON")
	errLimits = errors.New("the body nests deeper than 8 levels, or has an object of more than 64 members")
)

// scanner reads JSON (RFC 8259) from a body. Strings without escapes are views of the body; others are unescaped into scratch. It keeps
// neither beyond the event, and allocates only when scratch is too small.
type scanner struct {
	data    []byte
	pos     int
	scratch []byte
	odd     bool // there may be a control character in a string: an escape or a DEL was seen
}

// token is one JSON value. text is a string's value, a number's digits, or the bytes of an object or array.
type token struct {
	kind byte // 's' string, 'n' number, 't' true, 'f' false, '0' null, '{' object, '[' array
	text []byte
}

// object calls member with each name of the object at the present position; member reads the value.
func (s *scanner) object(member func(key []byte) error) error {
	if !s.take('{') {
		return errJSON
	}
	if s.take('}') {
		return nil
	}
	for n := 0; ; n++ {
		if n == maxMembers {
			return errLimits
		}
		key, err := s.key()
		if err != nil {
			return err
		}
		if !s.take(':') {
			return errJSON
		}
		if err := member(key); err != nil {
			return err
		}
		if s.take('}') {
			return nil
		}
		if !s.take(',') {
			return errJSON
		}
	}
}

// key reads the name of a member; most have one letter.
func (s *scanner) key() ([]byte, error) {
	s.space()
	if at := s.pos; at+2 < len(s.data) && s.data[at] == '"' && s.data[at+2] == '"' && s.data[at+1] >= 'a' && s.data[at+1] <= 'z' {
		s.pos += 3
		return s.data[at+1 : at+2], nil
	}
	return s.text()
}

// end fails where anything but blanks follows.
func (s *scanner) end() error {
	s.space()
	if s.pos != len(s.data) {
		return errJSON
	}
	return nil
}

// value reads any value.
func (s *scanner) value(depth int) (token, error) {
	s.space()
	if s.pos == len(s.data) {
		return token{}, errJSON
	}
	if depth > maxDepth {
		return token{}, errLimits
	}
	start := s.pos
	switch c := s.data[s.pos]; c {
	case '"':
		text, err := s.text()
		return token{'s', text}, err
	case '{':
		err := s.object(func([]byte) error {
			_, err := s.value(depth + 1)
			return err
		})
		return token{'{', s.data[start:s.pos]}, err
	case '[':
		err := s.array(depth)
		return token{'[', s.data[start:s.pos]}, err
	case 't':
		return token{kind: 't'}, s.word("true")
	case 'f':
		return token{kind: 'f'}, s.word("false")
	case 'n':
		return token{kind: '0'}, s.word("null")
	default:
		err := s.number()
		return token{'n', s.data[start:s.pos]}, err
	}
}

func (s *scanner) array(depth int) error {
	s.pos++
	if s.take(']') {
		return nil
	}
	for {
		if _, err := s.value(depth + 1); err != nil {
			return err
		}
		if s.take(']') {
			return nil
		}
		if !s.take(',') {
			return errJSON
		}
	}
}

func (s *scanner) word(w string) error {
	if len(s.data)-s.pos < len(w) || string(s.data[s.pos:s.pos+len(w)]) != w {
		return errJSON
	}
	s.pos += len(w)
	return nil
}

func (s *scanner) number() error {
	if s.pos < len(s.data) && s.data[s.pos] == '-' {
		s.pos++
	}
	switch {
	case s.pos < len(s.data) && s.data[s.pos] == '0':
		s.pos++
	case !s.digits():
		return errJSON
	}
	if s.pos < len(s.data) && s.data[s.pos] == '.' {
		s.pos++
		if !s.digits() {
			return errJSON
		}
	}
	if s.pos < len(s.data) && s.data[s.pos]|0x20 == 'e' {
		s.pos++
		if s.pos < len(s.data) && (s.data[s.pos] == '+' || s.data[s.pos] == '-') {
			s.pos++
		}
		if !s.digits() {
			return errJSON
		}
	}
	return nil
}

func (s *scanner) digits() bool {
	start := s.pos
	for s.pos < len(s.data) && s.data[s.pos] >= '0' && s.data[s.pos] <= '9' {
		s.pos++
	}
	return s.pos > start
}

// text reads a string and returns its value, which is valid UTF-8.
func (s *scanner) text() ([]byte, error) {
	if s.pos == len(s.data) || s.data[s.pos] != '"' {
		return nil, errJSON
	}
	start := s.pos + 1
	s.pos = plainEnd(s.data, start)
	ascii := true
	for ; s.pos < len(s.data); s.pos++ {
		switch c := s.data[s.pos]; {
		case c == '"':
			raw := s.data[start:s.pos]
			s.pos++
			if !ascii && !utf8.Valid(raw) {
				return nil, errJSON
			}
			return raw, nil
		case c == '\\':
			return s.escaped(start)
		case c < 0x20:
			return nil, errJSON
		case c >= utf8.RuneSelf:
			ascii = false
		case c == 0x7f:
			s.odd = true
		}
	}
	return nil, errJSON
}

// escaped goes on with a string that has an escape at the present position.
func (s *scanner) escaped(start int) ([]byte, error) {
	s.odd = true
	from := len(s.scratch)
	s.scratch = append(s.scratch, s.data[start:s.pos]...)
	for s.pos < len(s.data) {
		c := s.data[s.pos]
		s.pos++
		switch {
		case c == '"':
			text := s.scratch[from:len(s.scratch):len(s.scratch)]
			if !utf8.Valid(text) {
				return nil, errJSON
			}
			return text, nil
		case c < 0x20:
			return nil, errJSON
		case c != '\\':
			s.scratch = append(s.scratch, c)
			continue
		}
		if err := s.escape(); err != nil {
			return nil, err
		}
	}
	return nil, errJSON
}

// escape reads what follows a backslash.
func (s *scanner) escape() error {
	if s.pos == len(s.data) {
		return errJSON
	}
	c := s.data[s.pos]
	s.pos++
	switch c {
	case '"', '\\', '/':
		s.scratch = append(s.scratch, c)
	case 'b':
		s.scratch = append(s.scratch, '\b')
	case 'f':
		s.scratch = append(s.scratch, '\f')
	case 'n':
		s.scratch = append(s.scratch, '\n')
	case 'r':
		s.scratch = append(s.scratch, '\r')
	case 't':
		s.scratch = append(s.scratch, '\t')
	case 'u':
		r, ok := s.hex4()
		if !ok {
			return errJSON
		}
		if utf16.IsSurrogate(r) {
			r = s.surrogate(r)
		}
		s.scratch = utf8.AppendRune(s.scratch, r)
	default:
		return errJSON
	}
	return nil
}

// surrogate joins the half r with the other half if it follows; a lone half becomes U+FFFD.
func (s *scanner) surrogate(r rune) rune {
	before := s.pos
	if s.pos+1 < len(s.data) && s.data[s.pos] == '\\' && s.data[s.pos+1] == 'u' {
		s.pos += 2
		if low, ok := s.hex4(); ok {
			if joined := utf16.DecodeRune(r, low); joined != utf8.RuneError {
				return joined
			}
		}
	}
	s.pos = before
	return utf8.RuneError
}

func (s *scanner) hex4() (rune, bool) {
	if len(s.data)-s.pos < 4 {
		return 0, false
	}
	var r rune
	for _, c := range s.data[s.pos : s.pos+4] {
		d, ok := unhex(c)
		if !ok {
			return 0, false
		}
		r = r<<4 | rune(d)
	}
	s.pos += 4
	return r, true
}

func unhex(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10, true
	}
	return 0, false
}

// take skips blanks and, if c is next, c.
func (s *scanner) take(c byte) bool {
	if s.pos < len(s.data) && s.data[s.pos] == c {
		s.pos++
		return true
	}
	return s.takeLater(c)
}

// takeLater is take where blanks may come first.
func (s *scanner) takeLater(c byte) bool {
	s.space()
	if s.pos < len(s.data) && s.data[s.pos] == c {
		s.pos++
		return true
	}
	return false
}

func (s *scanner) space() {
	for s.pos < len(s.data) {
		switch s.data[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return
		}
	}
}

// float returns a number's value; JSON numbers too large for a float64 are not ok.
func (t token) float() (float64, bool) {
	if t.kind != 'n' {
		return 0, false
	}
	f, err := strconv.ParseFloat(view(t.text), 64)
	return f, err == nil
}

// view returns b as a string without copying it. The string is valid only as long as b is: until the journal has copied the event.
func view(b []byte) string {
	return unsafe.String(unsafe.SliceData(b), len(b)) //nolint:gosec // saves a copy of every field; nothing keeps the string
}
