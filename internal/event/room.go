package event

import "strings"

const (
	roomBytes = 256 << 10 // of text that is allocated at once
	roomProps = 1 << 10   // strings of properties that are allocated at once
)

// Room is memory for many events: it is allocated in large pieces, none of which is used twice. So what was taken from a Room stays as it is, and a
// piece is freed when nothing of it is in use any more. The zero Room is ready. It is for one goroutine.
type Room struct {
	text  strings.Builder
	props []string
}

// Text returns b as a string, which does not change with b.
func (r *Room) Text(b []byte) string {
	if r.text.Cap()-r.text.Len() < len(b) {
		r.text.Reset()
		r.text.Grow(max(roomBytes, len(b)))
	}
	from := r.text.Len()
	r.text.Write(b)
	return r.text.String()[from:]
}

// list returns n empty strings. r may be nil.
func (r *Room) list(n int) []string {
	if r == nil {
		return make([]string, n)
	}
	if len(r.props) < n {
		r.props = make([]string, max(n, roomProps))
	}
	l := r.props[:n:n]
	r.props = r.props[n:]
	return l
}
