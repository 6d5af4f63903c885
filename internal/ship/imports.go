package ship

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/daysalt/daysalt/internal/event"
	"github.com/daysalt/daysalt/internal/visit"
)

const (
	// maxImports is how many imports are remembered. When another one begins, the one whose last frame is the longest ago is forgotten: its visits end, and what
	// is sent of it again is stored again.
	maxImports = 64
	// keepVisits is how many visits of an import are remembered at least, whether or not they have ended by its own time (visit.NewUnordered).
	keepVisits = 1 << 16
	// maxImportVisits is how many visits of all imports are remembered: as many as of live events, so that one import has as much room. Beyond it, those of the
	// import whose last frame is the longest ago are forgotten.
	maxImportVisits = visit.MaxOpen
)

// imported is what is remembered of one import: what an end frame drops.
type imported struct {
	origin  uint16
	highest uint64 // Seq of its last event that was no duplicate
	visits  *visit.Tracker
}

// imports holds what is remembered of the imports that have not ended. All of it follows from the frames, in their order, and is part of the checkpoint.
type imports struct {
	all  []imported // the one with the latest frame is the last
	open int64      // visits of all
	max  int        // maxImports but in tests
	keep int        // keepVisits but in tests
	room int64      // maxImportVisits but in tests

	early func(origin uint16, visits uint64) // is told of visits that were forgotten although they could have gone on; may be nil
}

func newImports() imports {
	return imports{max: maxImports, keep: keepVisits, room: maxImportVisits}
}

// find returns the index of an import in m.all, or -1.
func (m *imports) find(origin uint16) int {
	for i := len(m.all) - 1; i >= 0; i-- {
		if m.all[i].origin == origin {
			return i
		}
	}
	return -1
}

// has says whether an imported event came before.
func (m *imports) has(f *event.Frame) bool {
	i := m.find(f.Origin)
	return i >= 0 && f.Seq <= m.all[i].highest
}

// touch returns what is remembered of an import, and makes it the latest one.
func (m *imports) touch(origin uint16) *imported {
	last := len(m.all) - 1
	switch i := m.find(origin); {
	case i == last && i >= 0:
	case i >= 0:
		im := m.all[i]
		copy(m.all[i:], m.all[i+1:])
		m.all[last] = im
	default:
		if len(m.all) >= m.max {
			m.forget(&m.all[0])
			m.drop(m.all[0].origin)
		}
		m.all = append(m.all, imported{origin: origin, visits: visit.NewUnordered(m.keep, int(m.room))})
	}
	return &m.all[len(m.all)-1]
}

// join fills row, which has an event that m.has not, with its visit.
func (m *imports) join(f *event.Frame, row *event.Row) {
	im := m.touch(f.Origin)
	im.highest = f.Seq
	before, early := im.visits.Len(), im.visits.Early()
	im.visits.Join(&row.Event, row)
	m.open += int64(im.visits.Len() - before)
	m.count(f.Origin, im.visits.Early()-early)
	for i := 0; m.open > m.room && i < len(m.all)-1; i++ {
		m.forget(&m.all[i])
	}
}

// forget forgets the visits of an import that has not ended.
func (m *imports) forget(im *imported) {
	m.open -= int64(im.visits.Len())
	m.count(im.origin, uint64(im.visits.Open()))
	im.visits.Reset()
}

func (m *imports) count(origin uint16, early uint64) {
	if early > 0 && m.early != nil {
		m.early(origin, early)
	}
}

// drop forgets an import.
func (m *imports) drop(origin uint16) {
	if i := m.find(origin); i >= 0 {
		m.open -= int64(m.all[i].visits.Len())
		m.all = slices.Delete(m.all, i, i+1)
	}
}

// recount counts the visits anew, when some were forgotten in an erasure.
func (m *imports) recount() {
	m.open = 0
	for i := range m.all {
		m.open += int64(m.all[i].visits.Len())
	}
}

// reset forgets all imports.
func (m *imports) reset() { m.all, m.open = nil, 0 }

// appendState appends everything that m remembers to dst and returns the longer slice: the number of imports, then each with its origin, the highest Seq, the
// length of its visits' state, and that state. Numbers are uint64, little endian.
func (m *imports) appendState(dst []byte) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, uint64(len(m.all)))
	for _, im := range m.all {
		dst = binary.LittleEndian.AppendUint64(dst, uint64(im.origin))
		dst = binary.LittleEndian.AppendUint64(dst, im.highest)
		dst = appendVisits(dst, im.visits)
	}
	return dst
}

// load replaces what m remembers by a state that appendState wrote. After an error m remembers nothing.
func (m *imports) load(state []byte) error {
	m.reset()
	if err := m.decode(state); err != nil {
		m.reset()
		return fmt.Errorf("cannot load imports: %w", err)
	}
	return nil
}

var errImports = errors.New("the bytes are no state of imports")

func (m *imports) decode(b []byte) error {
	n, b, ok := cutUint64(b)
	for ; ok && n > 0; n-- {
		var origin, highest uint64
		var state []byte
		if origin, b, ok = cutUint64(b); !ok {
			break
		}
		if highest, b, ok = cutUint64(b); !ok {
			break
		}
		if state, b, ok = cutVisits(b); !ok {
			break
		}
		if origin == 0 || origin > math.MaxUint16 || m.find(uint16(origin)) >= 0 {
			return errImports
		}
		im := m.touch(uint16(origin))
		im.highest = highest
		if err := im.visits.Load(state); err != nil {
			return err
		}
		m.open += int64(im.visits.Len())
	}
	if !ok || len(b) > 0 {
		return errImports
	}
	return nil
}

// appendVisits appends the length of the state of visits, as uint64, and the state.
func appendVisits(dst []byte, visits *visit.Tracker) []byte {
	at := len(dst)
	dst = visits.AppendState(append(dst, make([]byte, 8)...))
	binary.LittleEndian.PutUint64(dst[at:], uint64(len(dst)-at-8))
	return dst
}

// cutVisits takes what appendVisits wrote off the front of b.
func cutVisits(b []byte) (state, rest []byte, ok bool) {
	n, b, ok := cutUint64(b)
	if !ok || n > uint64(len(b)) {
		return nil, nil, false
	}
	return b[:n], b[n:], true
}

func cutUint64(b []byte) (v uint64, rest []byte, ok bool) {
	if len(b) < 8 {
		return 0, nil, false
	}
	return binary.LittleEndian.Uint64(b), b[8:], true
}
