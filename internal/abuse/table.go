package abuse

import (
	"math"
	"math/bits"
	"net/netip"
	"sync/atomic"
)

// key is what events are counted by.
type key struct {
	address [16]byte
	site    uint32
	minute  uint32 // since 1970-01-01 UTC
	reason  string
}

// entry is a key's counter.
type entry struct {
	key key
	n   atomic.Uint64 // sealedBit: it was read, and what is added from then on counts nowhere
}

const sealedBit = 1 << 63

// table counts keys until it is sealed. A place goes from nil to an entry, or to end when the table is sealed, and never changes again: so
// adding and sealing take no lock, and each event is either in the rows that seal returns or was told that it is not.
type table struct {
	places []atomic.Pointer[entry] // at least twice as many as there may be entries
	end    *entry                  // what stands in an empty place of a sealed table
	limit  int64
	used   atomic.Int64
}

func newTable(limit int) *table {
	return &table{places: make([]atomic.Pointer[entry], 1<<bits.Len(uint(2*limit-1))), end: new(entry), limit: int64(limit)}
}

// outcome says what add did.
type outcome uint8

const (
	counted outcome = iota
	full            // the key is new, and there is no room
	sealed          // the table was read; count in the next one
)

func (t *table) add(hash uint64, k *key) outcome {
	mask := uint64(len(t.places) - 1)
	var fresh *entry
	for i := hash & mask; ; i = (i + 1) & mask {
		e := t.places[i].Load()
		if e == nil {
			if fresh == nil {
				if t.used.Add(1) > t.limit {
					t.used.Add(-1)
					return full
				}
				fresh = &entry{key: *k}
				fresh.n.Store(1)
			}
			if t.places[i].CompareAndSwap(nil, fresh) {
				return counted
			}
			e = t.places[i].Load() // somebody was faster
		}
		if e != t.end && e.key != *k {
			continue
		}
		if fresh != nil {
			t.used.Add(-1)
		}
		if e == t.end || e.n.Add(1)&sealedBit != 0 {
			return sealed
		}
		return counted
	}
}

// seal returns the rows. Nothing is counted here afterwards. No new events should come while it works: they would be turned away again and again.
func (t *table) seal() []Row {
	rows := make([]Row, 0, t.used.Load())
	for i := range t.places {
		if t.places[i].CompareAndSwap(nil, t.end) {
			continue
		}
		e := t.places[i].Load()
		n := e.n.Or(sealedBit)
		rows = append(rows, Row{
			SiteID: e.key.site, Minute: int64(e.key.minute) * 60, Address: netip.AddrFrom16(e.key.address).Unmap(), Reason: e.key.reason,
			Events: uint32(min(n, math.MaxUint32)),
		})
	}
	return rows
}
