package visit

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/daysalt/daysalt/internal/event"
)

// stateVersion is the first byte of a written state.
const stateVersion = 1

// mostBytes is what a visit takes at most in a written state, but for its facts.
const mostBytes = 5 + 3 + 8 + 4*binary.MaxVarintLen64

var errState = errors.New("the bytes are no state of visits")

// AppendState appends everything that t remembers to dst and returns the longer slice. The same state gives the same bytes.
//
// The layout, version 1: the version byte; mark and turned as zigzag varints; then the young and the old generation, each a count and its
// visits in the order of their keys. A visit is site, day, visitor (8 bytes, little endian), start (zigzag), last minus start, the next Seq, the length of its facts and the facts (facts.go);
// numbers are varints where nothing else is said.
func (t *Tracker) AppendState(dst []byte) []byte {
	n := 32
	for _, generation := range []map[key]*visit{t.young, t.old} {
		for _, v := range generation {
			n += mostBytes + len(v.facts)
		}
	}
	dst = slices.Grow(dst, n) // It may be large, and would be copied a dozen times.
	dst = append(dst, stateVersion)
	dst = binary.AppendVarint(dst, t.mark)
	dst = binary.AppendVarint(dst, t.turned)
	for _, generation := range []map[key]*visit{t.young, t.old} {
		dst = binary.AppendUvarint(dst, uint64(len(generation)))
		all := make([]entry, 0, len(generation))
		for k, v := range generation {
			all = append(all, entry{k, v})
		}
		slices.SortFunc(all, compareEntries)
		for i := range all {
			k, v := all[i].key, all[i].visit
			dst = binary.AppendUvarint(dst, k.siteDay>>16)
			dst = binary.AppendUvarint(dst, k.siteDay&math.MaxUint16)
			dst = binary.LittleEndian.AppendUint64(dst, k.visitor)
			dst = binary.AppendVarint(dst, v.start)
			dst = binary.AppendUvarint(dst, uint64(v.last)-uint64(v.start))
			dst = binary.AppendUvarint(dst, uint64(v.next))
			dst = binary.AppendUvarint(dst, uint64(len(v.facts)))
			dst = append(dst, v.facts...)
		}
	}
	return dst
}

// entry is one of a generation.
type entry struct {
	key   key
	visit *visit
}

func compareEntries(a, b entry) int {
	return cmp.Or(cmp.Compare(a.key.siteDay, b.key.siteDay), cmp.Compare(a.key.visitor, b.key.visitor))
}

// Load replaces what t remembers by a state that AppendState wrote. After an error t remembers nothing.
func (t *Tracker) Load(state []byte) error {
	t.Reset()
	if len(state) == 0 || state[0] != stateVersion {
		return fmt.Errorf("cannot load visits: %w of version %d", errState, stateVersion)
	}
	d := decoder{b: state[1:]}
	t.mark, t.turned = d.int(), d.int()
	for _, generation := range []map[key]*visit{t.young, t.old} {
		for n := d.uint(math.MaxUint64); n > 0 && d.err == nil; n-- {
			k, v := d.visit()
			generation[k] = v
		}
	}
	if d.err == nil && len(d.b) > 0 {
		d.err = errState
	}
	if d.err != nil {
		t.Reset()
		return fmt.Errorf("cannot load visits: %w", d.err)
	}
	return nil
}

// decoder takes values off the front of b. After its first error every value is zero.
type decoder struct {
	b   []byte
	err error
}

func (d *decoder) visit() (key, *visit) {
	site := uint32(d.uint(math.MaxUint32))
	k := keyOf(site, event.Day(d.uint(math.MaxUint16)), 0)
	if b := d.bytes(8); b != nil {
		k.visitor = binary.LittleEndian.Uint64(b)
	}
	v := &visit{start: d.int()}
	v.last = int64(uint64(v.start) + d.uint(math.MaxUint64))
	v.next = uint16(d.uint(math.MaxUint16))
	v.facts = string(d.bytes(d.uint(math.MaxUint64)))
	var row event.Row
	if d.err == nil && !unpack(v.facts, &row) {
		d.err = errState
	}
	return k, v
}

func (d *decoder) bytes(n uint64) []byte {
	if d.err == nil && n > uint64(len(d.b)) {
		d.err = errState
	}
	if d.err != nil {
		return nil
	}
	b := d.b[:n]
	d.b = d.b[n:]
	return b
}

// uint takes a varint of at most limit.
func (d *decoder) uint(limit uint64) uint64 {
	if d.err != nil {
		return 0
	}
	v, n := binary.Uvarint(d.b)
	if n <= 0 || v > limit {
		d.err = errState
		return 0
	}
	d.b = d.b[n:]
	return v
}

// int takes a zigzag varint.
func (d *decoder) int() int64 {
	v := d.uint(math.MaxUint64)
	return int64(v>>1) ^ -int64(v&1)
}
