package ingest

import (
	"sync/atomic"

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
	Expired // older than the site keeps events
	Future
	kept        // it was not dropped
	reasons     = kept
	liveReasons = Expired // live traffic has those before it
)

// String returns the reason as metrics and tables name it.
func (r Reason) String() string {
	return [...]string{"unknown_site", "bot", "prefetch", "expired", "future", "kept"}[r]
}

// counts counts what became of events.
type counts struct {
	byReason [reasons + 1]atomic.Uint64
}

// read returns how many were kept, and how many dropped for each of the first n reasons.
func (c *counts) read(n Reason) (uint64, map[string]uint64) {
	dropped := make(map[string]uint64, n)
	for r := range n {
		dropped[r.String()] = c.byReason[r].Load()
	}
	return c.byReason[kept].Load(), dropped
}

// defaultMask shortens addresses of events for sites that are not measured.
const defaultMask = 2

// note counts what became of an event, and notes its masked address where that is wanted. A site that is not measured has the number 0.
func (w *way) note(h *Hit, s *site.Site, r Reason) {
	w.counts.byReason[r].Add(1)
	if w.abuse == nil {
		return
	}
	id, mask := uint32(0), defaultMask
	if s != nil {
		id, mask = s.ID, s.AddressMask
	}
	w.abuse.Record(id, h.Time, address.Mask(h.Address, mask), r.String())
}
