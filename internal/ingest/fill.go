package ingest

import (
	"strings"

	"github.com/daysalt/daysalt/internal/address"
	"github.com/daysalt/daysalt/internal/agent"
	"github.com/daysalt/daysalt/internal/event"
	"github.com/daysalt/daysalt/internal/redact"
	"github.com/daysalt/daysalt/internal/site"
	"github.com/daysalt/daysalt/internal/source"
)

// work is what one hit needs and the next one can use again.
type work struct {
	payload payload
	page    page
	event   event.Event
	keys    [maxProps]string
	values  [maxProps]string
	own     own
	scratch []byte // what the page, the event and the properties are views of, where they are none of the body
	frame   []byte
}

// readPage reads the payload's URL.
func (w *work) readPage() error {
	var err error
	w.scratch, err = w.page.parse(w.payload.url, w.payload.hash, w.scratch[:0])
	if err != nil {
		return &BadEvent{Fields: []FieldError{{"url", err.Error()}}}
	}
	return nil
}

// fill writes everything but the visitor and the time into the event, as the site wants it.
func (in *Ingester) fill(w *work, h *Hit, client *agent.Agent, s *site.Site) {
	p := &w.payload
	e := &w.event
	*e = event.Event{}
	e.SiteID, e.RetentionDays, e.Kind, e.Interactive, e.Name = s.ID, s.RetentionDays, event.Custom, p.interactive, p.name
	e.Country, e.Language = in.country(h, s), in.languages.first(h.Language)
	e.Browser, e.BrowserVersion, e.OS, e.OSVersion, e.Device = client.Browser, client.BrowserVersion, client.OS, client.OSVersion, client.Device
	e.Scroll, e.EngagedMS = event.NoScroll, p.engagedMS
	switch p.name {
	case "pageview":
		e.Kind = event.Pageview
	case engagement:
		e.Kind = event.Engagement
	default:
		e.Name = w.clean(s, redact.Name, p.name)
	}
	if p.hasScroll {
		e.Scroll = p.scroll
	}
	w.fillPage(s)
	w.fillProps(s)
}

// fillPage writes the page and where the visit came from.
func (w *work) fillPage(s *site.Site) {
	e, pg := &w.event, &w.page
	e.Hostname, e.ClickID = pg.host, pg.clickID
	if !s.IsPlainHost(pg.host) || len(w.own.agent) <= len(pg.host) && w.own.agent != "" {
		e.Hostname = w.host(pg.host)
	}
	e.Path = w.clean(s, redact.Page, pg.path)
	e.UTMSource = w.clean(s, redact.Campaign, w.address(pg.utmSource))
	e.UTMMedium = w.clean(s, redact.Campaign, w.address(pg.utmMedium))
	e.UTMCampaign = w.clean(s, redact.Campaign, w.address(pg.utmCampaign))
	e.UTMContent = w.clean(s, redact.Campaign, w.address(pg.utmContent))
	e.UTMTerm = w.clean(s, redact.Campaign, w.address(pg.utmTerm))
	found := source.Find(source.In{
		Referrer: w.payload.referrer, PageHost: pg.host, UTMSource: e.UTMSource, UTMMedium: e.UTMMedium, UTMCampaign: e.UTMCampaign,
		SourceParam: w.clean(s, redact.Campaign, w.address(pg.source)), RefParam: w.clean(s, redact.Campaign, w.address(pg.ref)), ClickID: pg.clickID,
	})
	e.Source, e.Channel, e.Referrer = w.host(found.Source), found.Channel, w.referrer(s, found.Referrer)
	limitCampaign(e, s, found.Given)
}

// referrer takes personal data out of a host and path.
func (w *work) referrer(s *site.Site, referrer string) string {
	at := strings.IndexByte(referrer, '/')
	if at < 0 {
		return w.host(referrer)
	}
	host, path := w.host(referrer[:at]), w.clean(s, redact.Referrer, referrer[at:])
	if host == referrer[:at] && path == referrer[at:] {
		return referrer
	}
	from := len(w.scratch)
	w.scratch = append(append(w.scratch, host...), path...)
	return view(w.scratch[from:])
}

// fillProps writes the properties that the site stores, by the names that were sent. Those that are web addresses lose what addresses of pages lose.
func (w *work) fillProps(s *site.Site) {
	e, p := &w.event, &w.payload
	n := 0
	for i := range p.props {
		if !storesProp(s, p.keys[i]) {
			continue
		}
		w.keys[n] = w.clean(s, redact.Props, p.keys[i])
		w.values[n] = w.clean(s, redact.Props, w.address(p.values[i]))
		n++
	}
	switch p.name { // the events that are about a page have it as a property, where the client left it out
	case "404", "Form: Submission", "WP Form Completions":
		if n < maxProps && !p.hasProp("path") && storesProp(s, "path") {
			w.keys[n], w.values[n] = "path", e.Path
			n++
		}
	}
	e.PropKeys, e.PropValues = w.keys[:n], w.values[:n]
}

func (p *payload) hasProp(key string) bool {
	for _, k := range p.keys[:p.props] {
		if k == key {
			return true
		}
	}
	return false
}

// clean takes personal data out of a text: the visitor's own address and agent, what is known to look like personal data, and what the site's
// own rules find.
func (w *work) clean(s *site.Site, f redact.Field, text string) string {
	if text == "" {
		return ""
	}
	text, w.scratch = s.Redacted(f, w.withoutOwn(text), w.scratch)
	return text
}

// host takes personal data out of a host name.
func (w *work) host(name string) string {
	if name == "" {
		return ""
	}
	name, w.scratch = redact.Path(w.withoutOwn(name), w.scratch)
	return name
}

// address takes user name, query and fragment out of a value that is a web address or a path with a query, and leaves any other as it is.
func (w *work) address(value string) string {
	if strings.IndexByte(value, '/') < 0 && strings.IndexByte(value, '?') < 0 {
		return value
	}
	trimmed := strings.TrimSpace(value)
	rest, absolute := authority(trimmed)
	if !absolute && !strings.HasPrefix(trimmed, "/") {
		before, after, ok := strings.Cut(trimmed, "?")
		if ok && strings.Contains(after, "=") && !strings.ContainsAny(before, " \t\n") {
			return before
		}
		return value
	}
	if end := strings.IndexAny(trimmed, "?#"); end >= 0 {
		rest, trimmed = rest[:max(0, len(rest)-len(trimmed)+end)], trimmed[:end]
	}
	if !absolute {
		return trimmed
	}
	host := rest
	if end := strings.IndexAny(rest, `/\`); end >= 0 {
		host = rest[:end]
	}
	at := strings.LastIndexByte(host, '@')
	if at < 0 {
		return trimmed
	}
	from := len(w.scratch)
	w.scratch = append(append(w.scratch, trimmed[:len(trimmed)-len(rest)]...), rest[at+1:]...)
	return view(w.scratch[from:])
}

// country looks the address up as far as the site wants it.
func (in *Ingester) country(h *Hit, s *site.Site) string {
	switch s.GeoFrom {
	case site.GeoOff:
		return ""
	case site.GeoMasked:
		if s.AddressMask >= 4 {
			return ""
		}
		return in.Geo.Country(address.Mask(h.Address, s.AddressMask))
	case site.GeoCut:
	}
	return in.Geo.Country(h.Address)
}
