// Package ingest decides about one hit: is it valid, does it count, what is known of it. It stands between web, which knows HTTP, and the
// journal, which knows bytes.
//
// A hit goes through: decode, validate, site, bot, enrich (browser, country, source), visitor number, encode, append. What comes out is a
// Verdict: how many events were kept, how many dropped and why.
//
// Invariants: address and agent are read here for the last time; nothing that leaves this package holds either, errors included. An event is
// in the journal before Ingest says that it was kept. Nothing here waits for a lock that another visitor's event can hold, but the journal's.
//
// It knows no HTTP and no SQL, makes no visits, and honours no objection: web does that before it reads the body.
package ingest

import (
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/daysalt/daysalt/internal/agent"
	"github.com/daysalt/daysalt/internal/event"
	"github.com/daysalt/daysalt/internal/geo"
	"github.com/daysalt/daysalt/internal/salt"
	"github.com/daysalt/daysalt/internal/site"
	"github.com/daysalt/daysalt/internal/source"
)

// Journal takes an encoded event; when it returns nil the event survives the death of the process.
type Journal interface {
	Append(frame []byte) error
}

// Sites finds a site by the domain a tracker sent.
type Sites interface {
	Lookup(domain string) (*site.Site, bool)
}

// Hit is one request as web saw it. Its strings and bytes may be reused once Ingest has returned.
type Hit struct {
	Time     time.Time
	Address  netip.Addr // of the visitor
	Agent    string     // User-Agent
	Hints    agent.Hints
	Language string // Accept-Language
	Purpose  string // Sec-Purpose
	Body     []byte
}

// Reason says why an event was dropped.
type Reason uint8

// The reasons, in the order of their counters.
const (
	UnknownSite Reason = iota
	Bot
	Prefetch
	reasons // how many there are
)

// String returns the reason as metrics name it.
func (r Reason) String() string { return [...]string{"unknown_site", "bot", "prefetch"}[r] }

// Verdict says what became of a hit: one event for each site it named.
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
	sites   Sites
	keys    *salt.Keys
	agents  *agent.Parser
	geo     *geo.Database
	journal Journal

	languages languages
	work      sync.Pool // *work
	kept      atomic.Uint64
	invalid   atomic.Uint64
	dropped   [reasons]atomic.Uint64
}

// work is what one hit needs and the next one can use again.
type work struct {
	payload payload
	event   event.Event
	scratch []byte
	frame   []byte
}

// Deps are the parts an Ingester stands on.
type Deps struct {
	Sites   Sites
	Keys    *salt.Keys
	Agents  *agent.Parser
	Geo     *geo.Database // nil: no countries
	Journal Journal
}

// New returns an Ingester.
func New(d Deps) *Ingester {
	in := &Ingester{sites: d.Sites, keys: d.Keys, agents: d.Agents, geo: d.Geo, journal: d.Journal, languages: newLanguages()}
	in.work.New = func() any { return new(work) }
	return in
}

// Ingest takes one hit. The error is *BadEvent where the body is wrong, else what the journal or the random source said; then the event was
// kept for the sites that Verdict counts, and for no other.
func (in *Ingester) Ingest(h *Hit) (Verdict, error) {
	w, _ := in.work.Get().(*work)
	defer in.work.Put(w)
	if err := w.payload.decode(h.Body); err != nil {
		in.invalid.Add(1)
		return Verdict{}, copyOf(err)
	}
	pg, scratch, err := parsePage(w.payload.url, w.payload.hash, w.scratch[:0])
	w.scratch = scratch
	if err != nil {
		in.invalid.Add(1)
		return Verdict{}, &BadEvent{Fields: []FieldError{{"url", err.Error()}}}
	}
	client := in.agents.Parse(h.Agent, h.Hints)
	domains := w.payload.domain
	if domains == "" {
		domains = pg.host
	}
	var v Verdict
	var keptBy [maxDomains]uint32 // a site that is named twice has the event once
	for domains != "" && v.Kept+v.Dropped < maxDomains {
		var domain string
		domain, domains, _ = strings.Cut(domains, ",")
		if strings.TrimSpace(domain) == "" {
			continue
		}
		s, ok := in.sites.Lookup(domain)
		if reason, drop := drop(h, w, client, ok); drop {
			in.dropped[reason].Add(1)
			v.Dropped++
			continue
		}
		if slices.Contains(keptBy[:v.Kept], s.ID) {
			continue
		}
		if v.Kept == 0 {
			in.fill(w, h, pg, client)
		}
		if err := in.keep(w, h, s); err != nil {
			return v, err
		}
		keptBy[v.Kept] = s.ID
		v.Kept++
	}
	return v, nil
}

// drop says whether an event does not count. An unknown site comes first: it costs least.
func drop(h *Hit, w *work, client *agent.Agent, known bool) (Reason, bool) {
	switch {
	case !known:
		return UnknownSite, true
	case client.Bot != "" || w.payload.automated:
		return Bot, true
	case strings.Contains(h.Purpose, "prefetch"):
		return Prefetch, true
	}
	return 0, false
}

// fill writes everything that is the same for each site into the event.
func (in *Ingester) fill(w *work, h *Hit, pg page, client *agent.Agent) {
	p := &w.payload
	found := source.Find(source.In{
		Referrer: p.referrer, PageHost: pg.host, UTMSource: pg.utmSource, UTMMedium: pg.utmMedium, UTMCampaign: pg.utmCampaign,
		SourceParam: pg.source, RefParam: pg.ref, ClickID: pg.clickID,
	})
	w.event = event.Event{
		Time: h.Time.Unix(), Kind: event.Custom, Interactive: p.interactive, Name: p.name, Hostname: pg.host, Path: pg.path,
		Source: found.Source, Channel: found.Channel, Referrer: found.Referrer, ClickID: pg.clickID,
		UTMSource: pg.utmSource, UTMMedium: pg.utmMedium, UTMCampaign: pg.utmCampaign, UTMContent: pg.utmContent, UTMTerm: pg.utmTerm,
		Country: in.geo.Country(h.Address), Browser: client.Browser, BrowserVersion: client.BrowserVersion,
		OS: client.OS, OSVersion: client.OSVersion, Device: client.Device, Language: in.languages.first(h.Language),
		Scroll: event.NoScroll, EngagedMS: p.engagedMS,
	}
	e := &w.event
	switch p.name {
	case "pageview":
		e.Kind = event.Pageview
	case "engagement":
		e.Kind = event.Engagement
	case "404", "Form: Submission", "WP Form Completions":
		p.addPath(pg.path)
	}
	if p.hasScroll {
		e.Scroll = p.scroll
	}
	e.PropKeys, e.PropValues = p.keys[:p.props], p.values[:p.props]
}

// addPath fills the property "path" of the events that are about a page, where the client left it out.
func (p *payload) addPath(path string) {
	for _, key := range p.keys[:p.props] {
		if key == "path" {
			return
		}
	}
	if p.props < maxProps {
		p.keys[p.props], p.values[p.props] = "path", path
		p.props++
	}
}

// keep writes what depends on the site and appends the event.
func (in *Ingester) keep(w *work, h *Hit, s *site.Site) error {
	e := &w.event
	day, visitor, err := in.keys.Number(s.ID, s.Zone(h.Time), h.Time, h.Address, h.Agent)
	if err != nil {
		return err
	}
	e.SiteID, e.Day, e.Visitor, e.RetentionDays = s.ID, day, visitor, s.RetentionDays
	w.frame = event.AppendEvent(w.frame[:0], e)
	if err := in.journal.Append(w.frame); err != nil {
		return err
	}
	in.kept.Add(1)
	return nil
}

// Stats returns the counters.
func (in *Ingester) Stats() Stats {
	s := Stats{Kept: in.kept.Load(), Invalid: in.invalid.Load(), Dropped: make(map[string]uint64, reasons)}
	for r := range reasons {
		s.Dropped[r.String()] = in.dropped[r].Load()
	}
	return s
}

// copyOf takes an error out of the reused payload.
func copyOf(err error) error {
	bad, ok := err.(*BadEvent) //nolint:errorlint // decode returns nothing else, unwrapped
	if !ok {
		return err
	}
	return &BadEvent{Fields: append([]FieldError(nil), bad.Fields...)}
}
