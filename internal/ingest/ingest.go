// Package ingest decides about one hit: is it valid, does it count, what is known of it, and what of it may be kept. It stands between web, which
// knows HTTP, and the journal, which knows bytes. Lines of an import come the same way, with a time of their own.
//
// A hit goes through: decode, validate, site, DNT, bot, enrich (browser, country, source), redact, limit, visitor number, encode, append. What comes out
// is a Verdict: how many events were kept, how many dropped.
//
// Invariants: address and agent are read here for the last time; nothing that leaves this package holds either, errors included. What looks like
// personal data is out of every text before the event is encoded, and so is all that the site does not store. Where the site honours DNT, an event that
// carries it is neither kept nor dropped: nothing is computed from it, and nothing counts it. An event is in the journal before Ingest says that it was
// kept. Nothing here waits for a lock that another visitor's event can hold, but the journal's, and a day's first event may wait for the key that it
// needs.
//
// It knows no HTTP and no SQL, makes no visits, and sees no other objection: web honours those before it reads the body.
package ingest

import (
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/daysalt/daysalt/internal/address"
	"github.com/daysalt/daysalt/internal/agent"
	"github.com/daysalt/daysalt/internal/event"
	"github.com/daysalt/daysalt/internal/geo"
	"github.com/daysalt/daysalt/internal/site"
)

// Journal takes an encoded event; when it returns nil the event survives the death of the process.
type Journal interface {
	Append(frame []byte) error
}

// Sites finds a site by the domain a tracker sent.
type Sites interface {
	Lookup(domain string) (*site.Site, bool)
}

// Keys makes the visitor number of an address and agent on the site's calendar day at t.
type Keys interface {
	Number(siteID uint32, zone *time.Location, t time.Time, from netip.Addr, ua string) (event.Day, uint64, error)
}

// Abuse notes a masked address and what became of its event.
type Abuse interface {
	Record(siteID uint32, t time.Time, masked netip.Addr, reason string)
}

// Hit is one request as web saw it. Its strings and bytes may be reused once Ingest has returned.
type Hit struct {
	Time     time.Time
	Address  netip.Addr // of the visitor
	Agent    string     // User-Agent
	Hints    agent.Hints
	Language string // Accept-Language
	Purpose  string // Sec-Purpose
	DNT      bool   // DNT: 1 was sent, which is an objection where a site says so
	Body     []byte
}

// Verdict says what became of a hit: one event for each site it named. An event that was objected to is in neither number.
type Verdict struct {
	Kept, Dropped int
}

// Stats counts since the process started. It counts events, never visitors.
type Stats struct {
	Kept    uint64
	Invalid uint64 // bodies refused with BadEvent
	Dropped map[string]uint64
}

// Ingester takes hits. It is safe for concurrent use.
type Ingester struct {
	Deps
	languages languages
	work      sync.Pool // *work
	invalid   atomic.Uint64
	live      counts
}

// Deps are the parts an Ingester stands on.
type Deps struct {
	Sites   Sites
	Keys    Keys // of live traffic
	Agents  *agent.Parser
	Geo     *geo.Database // nil: no countries
	Journal Journal
	Abuse   Abuse            // nil: no address is noted
	Now     func() time.Time // for imports: what lies in the future, and what is too old to be kept
}

// New returns an Ingester.
func New(d Deps) *Ingester {
	in := &Ingester{Deps: d, languages: newLanguages()}
	in.work.New = func() any { return new(work) }
	return in
}

// Ingest takes one hit. The error is *BadEvent where the body is wrong, else what the journal or the keys said; then the event was
// kept for the sites that Verdict counts, and for no other.
func (in *Ingester) Ingest(h *Hit) (Verdict, error) {
	w, _ := in.work.Get().(*work)
	defer in.giveBack(w)
	if err := w.payload.decode(h.Body, false); err != nil {
		in.invalid.Add(1)
		return Verdict{}, copyOf(err)
	}
	if err := w.readPage(); err != nil {
		in.invalid.Add(1)
		return Verdict{}, err
	}
	return in.take(w, h, way{keys: in.Keys, counts: &in.live, abuse: in.Abuse})
}

func (in *Ingester) giveBack(w *work) {
	w.release()
	in.work.Put(w)
}

// way is what differs between live traffic and an import.
type way struct {
	keys   Keys
	counts *counts
	abuse  Abuse // nil: none

	origin uint16 // the import; 0: live
	line   uint64 // of the import's file, from 1
	place  uint64 // of the site among those that the line names, from 0
	now    int64  // when the import runs, in seconds since 1970; 0: live
}

// take keeps a decoded hit for each site that it names and that it counts for. An import's line that fails half-way comes again as a whole, so
// what became of it is counted when all of it is done.
func (in *Ingester) take(w *work, h *Hit, way way) (Verdict, error) {
	var client *agent.Agent
	var v Verdict
	var err error
	var keptBy [maxDomains]uint32 // a site that is named twice has the event once
	var fates [maxDomains]fate
	n := 0
	for place := range maxDomains {
		domain, more := w.domain(place)
		if !more {
			break
		}
		s, known := in.Sites.Lookup(domain)
		if domain == "" || known && slices.Contains(keptBy[:v.Kept], s.ID) {
			continue
		}
		if known && s.DNT && h.DNT {
			continue
		}
		if known && client == nil {
			client = in.Agents.Parse(h.Agent, h.Hints)
		}
		reason := drop(h, w, client, s, &way)
		if reason == kept {
			if v.Kept == 0 {
				w.own.of(h)
			}
			in.fill(w, h, client, s)
			way.place = uint64(place)
			if err = in.keep(w, h, s, &way); err != nil {
				break
			}
			keptBy[v.Kept] = s.ID
			v.Kept++
		} else {
			v.Dropped++
		}
		fates[n] = fate{s, reason}
		n++
	}
	if err == nil || way.origin == 0 {
		for _, f := range fates[:n] {
			way.note(w, h, f.site, f.reason)
		}
	}
	return v, err
}

// fate says what became of the event that one of a hit's sites would have.
type fate struct {
	site   *site.Site // nil: not measured
	reason Reason
}

// domain returns the site at a place of those that the hit names, from 0, and whether there is one. The payload has at most maxDomains; where it
// names none, the page's host is the only one.
func (w *work) domain(place int) (string, bool) {
	rest := w.payload.domain
	if rest == "" {
		return w.page.host, place == 0
	}
	for ; place > 0; place-- {
		var more bool
		if _, rest, more = strings.Cut(rest, ","); !more {
			return "", false
		}
	}
	name, _, _ := strings.Cut(rest, ",")
	return strings.TrimSpace(name), true
}

// drop says why an event does not count, or kept. An unknown site comes first: it costs least.
func drop(h *Hit, w *work, client *agent.Agent, s *site.Site, way *way) Reason {
	switch {
	case s == nil:
		return UnknownSite
	case client.Bot != "" || w.payload.automated:
		return Bot
	case strings.Contains(h.Purpose, "prefetch"):
		return Prefetch
	case way.origin != 0 && h.Time.Unix() > way.now:
		return Future
	case way.origin != 0 && h.Time.Unix() < way.now-int64(s.RetentionDays)*daySeconds:
		return Expired
	case !s.Visitors && w.payload.name == engagement:
		return NotMeasured
	}
	return kept
}

// keep makes the visitor number, where the site has any, and appends the event. The day is that of the time as it was, not of what is stored of it.
func (in *Ingester) keep(w *work, h *Hit, s *site.Site, way *way) error {
	e, zone := &w.event, s.Zone(h.Time)
	if s.Visitors {
		from := h.Address
		if s.HashAddress == site.HashMasked {
			from = address.Mask(from, s.AddressMask)
		}
		var err error
		if e.Day, e.Visitor, err = way.keys.Number(s.ID, zone, h.Time, from, h.Agent); err != nil {
			return err
		}
	} else {
		e.Day = dayOf(h.Time, zone)
	}
	e.Time = cutTime(h.Time, zone, s.TimeStep)
	limit(e, s)
	if way.origin == 0 {
		w.frame = event.AppendEvent(w.frame[:0], e)
	} else {
		w.frame = event.AppendImported(w.frame[:0], way.origin, way.line<<domainBits|way.place, e)
	}
	return in.Journal.Append(w.frame)
}

// Stats returns the counters of live traffic.
func (in *Ingester) Stats() Stats {
	n, dropped := in.live.read(liveReasons)
	return Stats{Kept: n, Invalid: in.invalid.Load(), Dropped: dropped}
}

// copyOf takes an error out of the reused payload.
func copyOf(bad *BadEvent) *BadEvent {
	return &BadEvent{Fields: slices.Clone(bad.Fields)}
}
