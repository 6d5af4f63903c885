package ingest

import (
	"sync/atomic"
	"unsafe"

	"github.com/daysalt/daysalt/internal/address"
	"github.com/daysalt/daysalt/internal/site"
)

// Reason says why an event was dropped.
type Reason uint8

// The reasons, in the order of their counters. The last two are those of imports.
const (
	UnknownSite Reason = iota
	Bot
	Prefetch
	NotMeasured // engagement, on a site that has no visits which it could belong to
	Expired     // older than the site keeps events
	Future
	kept        // it was not dropped
	reasons     = kept
	liveReasons = Expired // live traffic has those before it
)

// String returns the reason as metrics and tables name it.
func (r Reason) String() string {
	return [...]string{"unknown_site", "bot", "prefetch", "not_measured", "expired", "future", "kept"}[r]
}

// counts counts what became of events, in parts such that processors seldom write to the same.
type counts [countParts]struct {
	byReason [reasons + 1]atomic.Uint64
	_        [128 - 8*(reasons+1)]byte
}

const countParts = 8

// add counts an event that was taken in a work.
func (c *counts) add(w *work, r Reason) {
	part := uintptr(unsafe.Pointer(w)) >> 12 % countParts //nolint:gosec // any part is right
	c[part].byReason[r].Add(1)
}

func (c *counts) of(r Reason) (n uint64) {
	for i := range c {
		n += c[i].byReason[r].Load()
	}
	return n
}

// read returns how many were kept, and how many dropped for each of the first n reasons.
func (c *counts) read(n Reason) (uint64, map[string]uint64) {
	dropped := make(map[string]uint64, n)
	for r := range n {
		dropped[r.String()] = c.of(r)
	}
	return c.of(kept), dropped
}

// defaultMask shortens addresses of events for sites that are not measured.
const defaultMask = 2

// note counts what became of an event, and notes its masked address where that is wanted. A site that is not measured has the number 0; of one without
// visitors no address is noted.
func (by *way) note(w *work, h *Hit, s *site.Site, r Reason) {
	by.counts.add(w, r)
	if by.abuse == nil || s != nil && !s.Visitors {
		return
	}
	id, mask := uint32(0), defaultMask
	if s != nil {
		id, mask = s.ID, s.AddressMask
	}
	by.abuse.Record(id, h.Time, address.Mask(h.Address, mask), r.String())
}
