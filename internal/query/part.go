package query

import (
	"slices"
	"strconv"
	"strings"

	"github.com/daysalt/daysalt/internal/period"
)

// outer is what the question fragment is filled with.
type outer struct {
	Select  []string // dimensions, then metrics
	Total   bool
	Parts   []part
	Keys    []string
	Present []string // sums of which one must not be 0, or the row says nothing
	Order   []string
	Limits  Limits
}

// part yields some of the numerators per value of the dimensions, and zeros for the others.
type part struct {
	Source string
	Select []string
	Keys   []string
	Where  []string // conditions on visits
	Join   bool     // rows of events are joined to their visits
	Visits rows
}

// rows is what the visit_rows fragment is filled with.
type rows struct {
	Stored     []string // conditions on every row
	Match      []string // conditions that make a row count as matched
	Attributes []string // columns that every row of a visit repeats
}

func (p *plan) question() outer {
	o := outer{Total: p.Include.TotalRows}
	for i, c := range p.columns {
		key := "k" + strconv.Itoa(i)
		o.Keys = append(o.Keys, key)
		o.Select = append(o.Select, c.label(key)+" AS d"+strconv.Itoa(i))
	}
	for i, m := range p.Metrics {
		o.Select = append(o.Select, p.metric(m)+" AS m"+strconv.Itoa(i))
		first := m.of()[0]
		if !p.known(m) {
			first = events
		}
		if sum := "sum(" + string(first) + ")"; !slices.Contains(o.Present, sum) {
			o.Present = append(o.Present, sum)
		}
	}
	o.Order = p.order()
	all := p.numerators()
	for _, s := range p.sources(all) {
		o.Parts = append(o.Parts, p.part(s, o.Keys, all))
	}
	return o
}

// metric is a metric in SQL, or null where the site cannot know it.
func (p *plan) metric(m Metric) string {
	if !p.known(m) {
		return "CAST(NULL, 'Nullable(Int64)')"
	}
	return m.sql()
}

// order returns the asked order, made total by the dimensions. They are ordered by their keys: an empty value comes first, whatever it is called.
func (p *plan) order() []string {
	var order, named []string
	for _, o := range p.OrderBy {
		name := "m" + strconv.Itoa(slices.Index(p.Metrics, Metric(o.By)))
		if !p.known(Metric(o.By)) {
			name = p.byEvents()
		}
		if i := slices.Index(p.Dimensions, Dimension(o.By)); i >= 0 {
			name = "k" + strconv.Itoa(i)
		}
		named = append(named, name)
		if o.Descending {
			name += " DESC"
		}
		order = append(order, name)
	}
	for i := range p.Dimensions {
		if name := "k" + strconv.Itoa(i); !slices.Contains(named, name) {
			order = append(order, name)
		}
	}
	return order
}

// byEvents is what rows are ordered by in place of a metric that is not known.
func (p *plan) byEvents() string {
	switch p.form() {
	case Plain:
		return "sum(" + string(events) + ")"
	case Withheld:
		return "if(hidden, NULL, by_events)"
	default:
		return "by_events"
	}
}

func (p *plan) part(s source, keys []string, all []numerator) part {
	one := part{Source: "visits", Keys: keys, Where: p.derived, Visits: rows{Stored: p.stored, Match: p.match}}
	if s == fromEvents {
		one.Source = "events"
		one.Join = p.has(derivedClass)
	} else {
		// Broken down by an event's page, a visit belongs to the page it entered on, and so do filters on events.
		switch {
		case p.has(eventClass):
			one.Where = slices.Concat(p.derived, []string{"views > 0"}, p.entered)
			one.Visits.Match = nil
		case len(p.match) > 0:
			one.Where = slices.Concat(p.derived, []string{"matched > 0"})
		}
	}
	p.keyed(&one, s)
	for _, n := range all {
		value := "0"
		if p.source(n) == s {
			value = p.value(n, s)
		}
		one.Select = append(one.Select, value+" AS "+string(n))
	}
	if p.form() != Plain {
		entered := ""
		if p.paged && !p.has(eventClass) {
			entered = p.enteredOnMatch()
		}
		one.Select = append(one.Select, p.crowds(s, "", entered, false)...)
	}
	return one
}

// keyed lets a part select its keys.
func (p *plan) keyed(one *part, s source) {
	for i, c := range p.columns {
		one.Select = append(one.Select, c.key(s)+" AS "+one.Keys[i])
		if c.class == storedClass && s != fromEvents {
			one.Visits.Attributes = append(one.Visits.Attributes, c.row)
		}
	}
}

// enteredOnMatch is the condition that a visit began on a page that the filters on events let through.
func (p *plan) enteredOnMatch() string {
	return strings.Join(slices.Concat([]string{"views > 0"}, p.entered), " AND ")
}

// value is a numerator in the part that yields it.
func (p *plan) value(n numerator, s source) string {
	if s == fromEvents {
		// Rows without a visitor number belong to no visit.
		return map[numerator]string{
			visitors:  "uniqExactIf(visitor, visitor != 0)",
			visits:    "uniqExactIf((visitor, visit_start), visitor != 0)",
			pageviews: "countIf(kind = 'pageview')",
			events:    "count()",
		}[n]
	}
	// A bounce says something of the page a visit entered on: with a filter on the page, only visits that entered there count.
	inEntries, inBounces := "count()", "countIf(bounced)"
	if p.paged && !p.has(eventClass) {
		entered := p.enteredOnMatch()
		inEntries, inBounces = "countIf("+entered+")", "countIf(bounced AND "+entered+")"
	}
	return map[numerator]string{
		visitors:  "uniqExact(visitor)",
		visits:    "count()",
		pageviews: "sum(matched_views)",
		events:    "sum(matched)",
		wholes:    "count()",
		views:     "sum(views)",
		seconds:   "sum(seconds)",
		entries:   inEntries,
		bounces:   inBounces,
	}[n]
}

// key is the expression that a part groups by. Hours are counted from 1970-01-01 in wall-clock time, and the date is always day: a row
// written a moment off midnight stays in the hours of its day.
func (c column) key(s source) string {
	if c.class != timeClass {
		if s == fromEvents && c.row != "" {
			return c.row
		}
		return c.visit
	}
	switch c.interval {
	case period.Hour:
		return "toUInt32(day) * 24 + " + map[source]string{
			fromEvents: "toHour(ts, {zone:String})",
			fromVisits: "toHour(started, {zone:String})",
			// All zones' hours begin at a quarter.
			fromTouched: "arrayJoin(arrayDistinct(arrayMap(t -> toHour(t, {zone:String}), timeSlots(started, toUInt32(seconds), 900))))",
		}[s]
	case period.Week:
		return "greatest(toMonday(day), {from:Date})"
	case period.Month:
		return "toStartOfMonth(day)"
	default:
		return "day"
	}
}

// label is a key as an answer shows it.
func (c column) label(key string) string {
	switch {
	case c.class != timeClass:
		return shown(key, c.blank)
	case c.interval == period.Hour:
		return "formatDateTime(toDateTime(" + key + " * 3600, 'UTC'), '%Y-%m-%d %H:00:00')"
	}
	return "toString(" + key + ")"
}
