package query

import "slices"

// numerator is a sum that metrics are made of. It adds up over the parts of a statement.
type numerator string

const (
	visitors  numerator = "n_visitors"
	visits    numerator = "n_visits"
	pageviews numerator = "n_pageviews"
	events    numerator = "n_events"
	// Of whole visits: how many, their pageviews, their seconds.
	wholes  numerator = "v_visits"
	views   numerator = "v_views"
	seconds numerator = "v_seconds"
	// Of the visits that a bounce rate is about: how many, and those that bounced.
	entries numerator = "b_visits"
	bounces numerator = "b_bounces"
)

// of returns the numerators of a metric; the first is what must not be 0 for the metric to say anything.
func (m Metric) of() []numerator {
	switch m {
	case Visitors:
		return []numerator{visitors}
	case Visits:
		return []numerator{visits}
	case Pageviews:
		return []numerator{pageviews}
	case Events:
		return []numerator{events}
	case ViewsPerVisit:
		return []numerator{wholes, views}
	case VisitDuration:
		return []numerator{wholes, seconds}
	default:
		return []numerator{entries, bounces}
	}
}

// isRatio says whether the metric is one over whole visits.
func (m Metric) isRatio() bool { return len(m.of()) > 1 }

// sql returns the metric made of the sums. Ratios are rounded half up in whole numbers, so that they are exact and order as they are shown.
func (m Metric) sql() string {
	switch m {
	case Visitors, Visits, Pageviews, Events:
		return "toInt64(sum(" + string(m.of()[0]) + "))"
	case ViewsPerVisit:
		return ratio(100, views, wholes)
	case VisitDuration:
		return ratio(1, seconds, wholes)
	default:
		return ratio(100, bounces, entries)
	}
}

func ratio(times int, above, below numerator) string {
	factor := map[int]string{1: "2", 100: "200"}[times]
	return "toInt64(intDiv(" + factor + " * sum(" + string(above) + ") + sum(" + string(below) + "), nullIf(2 * sum(" + string(below) + "), 0)))"
}

// source is where a part of a statement reads.
type source string

const (
	fromEvents  source = "events"  // rows, by their own time
	fromVisits  source = "visits"  // visits, by their start
	fromTouched source = "touched" // visits, once in every hour they touch
)

// source returns which part yields a numerator.
func (p *plan) source(n numerator) source {
	if slices.Contains([]numerator{wholes, views, seconds, entries, bounces}, n) {
		return fromVisits
	}
	if p.hourly() {
		// Who was there in an hour is who had a visit going on; with a filter on events it is who had such an event in that hour.
		if (n == visitors || n == visits) && len(p.match) == 0 && !p.has(eventClass) {
			return fromTouched
		}
		return fromEvents
	}
	if p.has(eventClass) {
		return fromEvents
	}
	// The entry and the exit page are known of visits: there is nothing to join if everything is counted there. And where visits are read for a ratio,
	// counting them there spares the dearest work on events.
	if p.has(derivedClass) || (n == visitors || n == visits) && slices.ContainsFunc(p.Metrics, Metric.isRatio) {
		return fromVisits
	}
	return fromEvents
}

// numerators returns what the question's metrics need, each once.
func (p *plan) numerators() []numerator {
	var all []numerator
	for _, m := range p.Metrics {
		made := m.of()
		if !p.known(m) {
			made = []numerator{events} // says which rows there are
		}
		for _, n := range made {
			if !slices.Contains(all, n) {
				all = append(all, n)
			}
		}
	}
	return all
}

// sources returns where numerators come from.
func (p *plan) sources(all []numerator) []source {
	var used []source
	for _, s := range []source{fromEvents, fromTouched, fromVisits} {
		if slices.ContainsFunc(all, func(n numerator) bool { return p.source(n) == s }) {
			used = append(used, s)
		}
	}
	return used
}
