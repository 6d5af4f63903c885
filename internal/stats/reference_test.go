package stats_test

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/daysalt/daysalt/internal/event"
	"github.com/daysalt/daysalt/internal/period"
	"github.com/daysalt/daysalt/internal/query"
	"github.com/daysalt/daysalt/internal/stats"
)

// reference answers questions by reading all events one by one. It is written from the table of metrics, not from the SQL, and knows no parts.
type reference struct {
	site   stats.Site
	today  period.Date
	n      query.Normal
	rows   []event.Row
	visits map[visitKey]*visit
	groups map[string]*group
}

type visitKey struct {
	day     event.Day
	visitor uint64
	start   int64
}

type visit struct {
	visitKey
	events      []event.Row // without engagement
	views       []event.Row
	entry, exit event.Row // of views; zero without any
	began       int64     // time of the earliest event, which may have come after another
	seconds     int64
	bounced     bool
}

type group struct {
	keys     []string // values of the dimensions
	dims     []string // what an answer calls them
	visitors map[uint64]bool
	visits   map[visitKey]bool

	pageviews, events, wholes, views, seconds, entries, bounces int64
}

// answer returns the rows of the answer as the metrics files write them, and how many there are without pagination.
func answer(rows []event.Row, site stats.Site, now time.Time, q *query.Question) ([]string, int) {
	r := newReference(rows, site, now, q)
	r.makeVisits()
	r.countEvents()
	if r.hourly() && !r.matching() && !r.byEvent() {
		r.countTouched()
	}
	r.countVisits()
	return r.table()
}

func newReference(rows []event.Row, site stats.Site, now time.Time, q *query.Question) *reference {
	r := &reference{
		site: site, today: period.DateOf(now.In(site.Zone)), n: q.At(q.Dates.Resolve(now, site.Zone)),
		visits: map[visitKey]*visit{}, groups: map[string]*group{},
	}
	for _, e := range rows {
		day := period.Date(e.Day)
		if e.SiteID == site.ID && r.n.Range.From <= day && day <= r.n.Range.To && day+period.Date(e.RetentionDays) > r.today {
			r.rows = append(r.rows, e)
		}
	}
	return r
}

func (r *reference) makeVisits() {
	for _, e := range r.rows {
		if e.Visitor == 0 || e.Kind == event.Engagement {
			continue
		}
		k := visitKey{e.Day, e.Visitor, e.VisitStart}
		if r.visits[k] == nil {
			r.visits[k] = &visit{visitKey: k}
		}
		r.visits[k].events = append(r.visits[k].events, e)
	}
	for _, v := range r.visits {
		slices.SortFunc(v.events, func(a, b event.Row) int { return cmp.Compare(a.Seq, b.Seq) })
		first, last, interactive := v.events[0].Time, v.events[0].Time, false
		for _, e := range v.events {
			first, last = min(first, e.Time), max(last, e.Time)
			interactive = interactive || e.Kind == event.Custom && e.Interactive
			if e.Kind == event.Pageview {
				v.views = append(v.views, e)
			}
		}
		if len(v.views) > 0 {
			v.entry, v.exit = v.views[0], v.views[len(v.views)-1]
		}
		v.began, v.seconds = first, last-first
		v.bounced = len(v.views) < 2 && !interactive
	}
}

// countEvents counts what is said of events, each with its visit if it has one.
func (r *reference) countEvents() {
	for _, e := range r.rows {
		if e.Kind == event.Engagement || !r.holds(event.Row{}, nil, &e) {
			continue
		}
		v := r.visits[visitKey{e.Day, e.Visitor, e.VisitStart}]
		if v == nil && r.needsVisit() || !r.holds(e, v, nil) {
			continue
		}
		g := r.group(e, v, e.Time, e)
		g.events++
		if e.Kind == event.Pageview {
			g.pageviews++
		}
		if touched := r.hourly() && !r.matching() && !r.byEvent(); v != nil && !touched {
			g.visitors[v.visitor] = true
			g.visits[v.visitKey] = true
		}
	}
}

// countTouched counts visits in every hour that they were there, looked at minute by minute.
func (r *reference) countTouched() {
	for _, v := range r.visits {
		if !r.holds(v.events[0], v, nil) {
			continue
		}
		for at := v.began; ; at = min(at+60, v.began+v.seconds) {
			g := r.group(v.events[0], v, at, event.Row{})
			g.visitors[v.visitor] = true
			g.visits[v.visitKey] = true
			if at >= v.began+v.seconds {
				break
			}
		}
	}
}

// countVisits counts what is said of whole visits.
func (r *reference) countVisits() {
	for _, v := range r.visits {
		if !r.holds(v.events[0], v, nil) {
			continue
		}
		entered := len(v.views) > 0 && r.holds(event.Row{}, nil, &v.entry)
		counts := entered
		if !r.byEvent() {
			counts = slices.ContainsFunc(v.events, func(e event.Row) bool { return r.holds(event.Row{}, nil, &e) })
		}
		if !counts {
			continue
		}
		g := r.group(v.events[0], v, v.began, v.entry)
		g.wholes++
		g.views += int64(len(v.views))
		g.seconds += v.seconds
		if entered || !r.filters(query.EventPage) {
			g.entries++
			if v.bounced {
				g.bounces++
			}
		}
	}
}

// holds says whether the filters hold: those on the visit's attributes if one is nil, else those on the event one.
func (r *reference) holds(row event.Row, v *visit, one *event.Row) bool {
	for _, f := range r.n.Filters {
		onEvent := f.Dimension == query.EventPage || f.Dimension == query.EventHostname
		if onEvent != (one != nil) {
			continue
		}
		var value string
		if onEvent {
			value = r.value(f.Dimension, *one, v, 0, *one)
		} else {
			if v == nil && (f.Dimension == query.EntryPage || f.Dimension == query.ExitPage) {
				return false
			}
			value = r.value(f.Dimension, row, v, 0, row)
		}
		value = named(f.Dimension, value)
		found := slices.ContainsFunc(f.Values, func(s string) bool {
			if f.Operator == query.Contains || f.Operator == query.ContainsNot {
				return strings.Contains(value, s)
			}
			return value == named(f.Dimension, s)
		})
		if found == (f.Operator == query.IsNot || f.Operator == query.ContainsNot) {
			return false
		}
	}
	return true
}

// named returns what an answer calls a value.
func named(d query.Dimension, value string) string {
	switch {
	case value != "":
		return value
	case d == query.Source || d == query.Referrer:
		return "Direct / None"
	case strings.HasPrefix(string(d), "event:") || d == query.EntryPage || d == query.ExitPage:
		return "(none)"
	}
	return "(not set)"
}

// value returns a dimension's value: of the visit that row is of, of the moment, or of the page.
func (r *reference) value(d query.Dimension, row event.Row, v *visit, at int64, page event.Row) string {
	day := period.Date(row.Day)
	switch d {
	case query.TimeHour:
		return day.String() + time.Unix(at, 0).In(r.site.Zone).Format(" 15:00:00")
	case query.TimeDay:
		return day.String()
	case query.TimeWeek:
		return max(day-period.Date((int(time.Unix(int64(day)*86400, 0).UTC().Weekday())+6)%7), r.n.Range.From).String()
	case query.TimeMonth:
		return day.String()[:8] + "01"
	case query.EventPage:
		return page.Path
	case query.EventHostname:
		return page.Hostname
	case query.EntryPage:
		return v.entry.Path
	case query.ExitPage:
		return v.exit.Path
	}
	return map[query.Dimension]string{
		query.Source: row.Source, query.Referrer: row.Referrer,
		query.Channel: row.Channel, query.UTMSource: row.UTMSource, query.UTMMedium: row.UTMMedium, query.UTMCampaign: row.UTMCampaign,
		query.UTMContent: row.UTMContent, query.UTMTerm: row.UTMTerm, query.Country: row.Country, query.Browser: row.Browser,
		query.BrowserVersion: row.BrowserVersion, query.OS: row.OS, query.OSVersion: row.OSVersion, query.Device: row.Device,
	}[d]
}

func (r *reference) hourly() bool { return slices.Contains(r.n.Dimensions, query.TimeHour) }

func (r *reference) filters(d query.Dimension) bool {
	return slices.ContainsFunc(r.n.Filters, func(f query.Filter) bool { return f.Dimension == d })
}

func (r *reference) matching() bool {
	return r.filters(query.EventPage) || r.filters(query.EventHostname)
}

func (r *reference) byEvent() bool {
	return slices.Contains(r.n.Dimensions, query.EventPage) || slices.Contains(r.n.Dimensions, query.EventHostname)
}

func (r *reference) needsVisit() bool {
	return slices.Contains(r.n.Dimensions, query.EntryPage) || slices.Contains(r.n.Dimensions, query.ExitPage)
}

func (r *reference) group(row event.Row, v *visit, at int64, page event.Row) *group {
	var keys, dims []string
	for _, d := range r.n.Dimensions {
		keys = append(keys, r.value(d, row, v, at, page))
		dims = append(dims, named(d, keys[len(keys)-1]))
	}
	k := strings.Join(keys, "\x00")
	if r.groups[k] == nil {
		r.groups[k] = &group{keys: keys, dims: dims, visitors: map[uint64]bool{}, visits: map[visitKey]bool{}}
	}
	return r.groups[k]
}

// number returns a metric in hundredths, and what must not be 0 for it to say anything.
func (g *group) number(m query.Metric) (n, present int64) {
	rounded := func(above, below int64) int64 {
		if below == 0 {
			return 0
		}
		return (2*above + below) / (2 * below)
	}
	switch m {
	case query.Visitors:
		return 100 * int64(len(g.visitors)), int64(len(g.visitors))
	case query.Visits:
		return 100 * int64(len(g.visits)), int64(len(g.visits))
	case query.Pageviews:
		return 100 * g.pageviews, g.pageviews
	case query.Events:
		return 100 * g.events, g.events
	case query.ViewsPerVisit:
		return rounded(100*g.views, g.wholes), g.wholes
	case query.VisitDuration:
		return 100 * rounded(g.seconds, g.wholes), g.wholes
	}
	return 100 * rounded(100*g.bounces, g.entries), g.entries
}

func (r *reference) table() ([]string, int) {
	if len(r.n.Dimensions) == 0 && len(r.groups) == 0 {
		r.groups[""] = &group{}
	}
	var all []*group
	for _, g := range r.groups {
		if len(g.dims) == 0 || slices.ContainsFunc(r.n.Metrics, func(m query.Metric) bool { _, p := g.number(m); return p > 0 }) {
			all = append(all, g)
		}
	}
	slices.SortFunc(all, r.compare)
	total := len(all)
	all = all[min(r.n.Pagination.Offset, total):]
	all = all[:min(r.n.Pagination.Limit, len(all))]
	var table []string
	for _, g := range all {
		var metrics []string
		for _, m := range r.n.Metrics {
			n, present := g.number(m)
			text := strconv.FormatFloat(float64(n)/100, 'f', -1, 64)
			if present == 0 && (m == query.ViewsPerVisit || m == query.BounceRate || m == query.VisitDuration) {
				text = "null"
			}
			metrics = append(metrics, text)
		}
		line := strings.Join(metrics, ", ")
		if len(g.dims) > 0 {
			line = strings.Join(g.dims, ", ") + " | " + line
		}
		table = append(table, line)
	}
	return table, total
}

func (r *reference) compare(a, b *group) int {
	for _, o := range r.n.OrderBy {
		c := 0
		if i := slices.Index(r.n.Dimensions, query.Dimension(o.By)); i >= 0 {
			c = cmp.Compare(a.keys[i], b.keys[i])
		} else {
			x, inX := a.number(query.Metric(o.By))
			y, inY := b.number(query.Metric(o.By))
			null := strings.Contains(fmt.Sprint(query.ViewsPerVisit, query.BounceRate, query.VisitDuration), o.By)
			switch {
			case null && inX == 0 && inY == 0:
			case null && inX == 0:
				return 1 // null comes last in both directions
			case null && inY == 0:
				return -1
			default:
				c = cmp.Compare(x, y)
			}
		}
		if o.Descending {
			c = -c
		}
		if c != 0 {
			return c
		}
	}
	return slices.Compare(a.keys, b.keys)
}
