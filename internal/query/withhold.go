package query

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/daysalt/daysalt/internal/fault"
)

// MaxCells is how many rows a question with several dimensions may have on a site that withholds small groups: all of them are looked at to find
// out what to hide, and then put on pages.
const MaxCells = 100000

// Form is what a statement's rows have behind the dimensions and the metrics.
type Form uint8

const (
	// Plain rows have an Int64 with the number of rows without pagination, 0 if it was not asked for.
	Plain Form = iota
	// Withheld rows have the same, and an Int64 that is not 0 where something of the answer is withheld.
	Withheld
	// Cells are all rows, whatever the pagination, up to one more than MaxCells. They have a String for each dimension that tells its values apart, and three
	// Int64: how many visitors the row is about, how many it would be about without the filters and is not (0 if there are none), and not 0 where
	// some of its metrics are withheld.
	Cells
)

// form says how a question is answered. The unfiltered total and its course over time are about everybody: nothing is withheld there.
func (p *plan) form() Form {
	groups := slices.ContainsFunc(p.columns, func(c column) bool { return c.class != timeClass })
	switch {
	case p.k == 0 || !groups && len(p.Filters) == 0:
		return Plain
	case len(p.Dimensions) > 1:
		return Cells
	}
	return Withheld
}

// known says whether a site has the metric: without visitor numbers nobody knows who came back.
func (p *plan) known(m Metric) bool { return !p.anonymous || m == Pageviews || m == Events }

// answerable returns a fault.Invalid where a question is about visits that are not known.
func (p *plan) answerable() error {
	if !p.anonymous {
		return nil
	}
	const why = "%s is not known of a site without visitor numbers"
	for i, c := range p.columns {
		if c.class == derivedClass {
			return fault.Invalidf(index("dimensions", i), why, c.name)
		}
	}
	for i, f := range p.Filters {
		if c, _ := lookup(f.Dimension); c.class == derivedClass {
			return fault.Invalidf(index("filters", i), why, c.name)
		}
	}
	return nil
}

// guarded is what the fragments withheld, tally and cells are filled with.
type guarded struct {
	outer
	Metrics  []string // as q0, q1 ...; null where too few visitors are behind one
	Partly   string   // whether one is
	K        int
	Several  bool // parts that tell how many visitors a row is about
	Filtered bool
	Nulls    bool // hidden rows stay, without numbers: it is no secret that a day was
}

func (p *plan) guarded(f Form) (guarded, error) {
	g := guarded{outer: p.question(), K: p.k, Several: len(p.crowdSources()) > 1, Filtered: len(p.Filters) > 0, Partly: "0"}
	g.Nulls = f == Withheld && !slices.ContainsFunc(p.columns, func(c column) bool { return c.class != timeClass })
	g.Select = g.Select[:len(p.columns)]
	var few []string
	for i, m := range p.Metrics {
		n := strconv.Itoa(i)
		sql := p.metric(m)
		if m.isRatio() && p.known(m) {
			small := p.few(m)
			sql = "if(" + small + ", NULL, " + sql + ")"
			if !slices.Contains(few, small) {
				few = append(few, small)
			}
		}
		g.Metrics = append(g.Metrics, sql+" AS q"+n)
		shown := "q" + n
		if g.Nulls {
			shown = "if(hidden, NULL, q" + n + ")"
		}
		g.Select = append(g.Select, shown+" AS m"+n)
	}
	if len(few) > 0 {
		g.Partly = strings.Join(few, " OR ")
	}
	if slices.ContainsFunc(p.Metrics, func(m Metric) bool { return !p.known(m) }) {
		g.Metrics = append(g.Metrics, "sum("+string(events)+") AS by_events")
	}
	all := p.numerators()
	if !g.Filtered {
		return g, nil
	}
	for _, s := range p.sources(all) {
		one, err := p.rest(s, g.Keys, all)
		if err != nil {
			return g, err
		}
		g.Parts = append(g.Parts, one)
	}
	return g, nil
}

// few is the condition that too few visitors are behind a ratio, or behind what the filters took from it.
func (p *plan) few(m Metric) string {
	in, out := "sum(whole_crowd)", "sum(whole_rest)"
	if m == BounceRate {
		in, out = "sum(entry_crowd)", "sum(entry_rest)"
	}
	condition := in + " BETWEEN 1 AND " + strconv.Itoa(p.k-1)
	if len(p.Filters) > 0 {
		condition += " OR " + out + " BETWEEN 1 AND " + strconv.Itoa(p.k-1)
	}
	return condition
}

// crowdSources returns the parts that tell how many visitors a row is about: those that count, or where only ratios are asked for, the visits.
// A row is about the fewest that any of them tells.
func (p *plan) crowdSources() []source {
	var all []source
	for _, m := range p.Metrics {
		if s := p.source(m.of()[0]); p.known(m) && !m.isRatio() && !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	switch {
	case len(all) > 0:
		return all
	case p.anonymous:
		return []source{fromEvents}
	}
	return []source{fromVisits}
}

// crowds are the columns of a part that tell how many visitors there are. met is the condition of being among them and entered that of being among those
// of the bounce rate, "" for all; a part of the rest yields those who are not.
func (p *plan) crowds(s source, met, entered string, rest bool) []string {
	columns := map[string]string{}
	if asked := p.crowdSources(); slices.Contains(asked, s) {
		columns["crowd"] = crowd(s, met)
		if len(asked) == 1 {
			columns["people"] = p.people(s, met)
		}
	}
	if s == fromVisits {
		columns["whole_crowd"], columns["entry_crowd"] = crowd(s, met), crowd(s, entered)
	}
	names := []string{"crowd", "people", "whole_crowd", "entry_crowd"}
	values := make([]string, 0, 2*len(names))
	for _, suffixed := range []bool{false, true} {
		if suffixed && len(p.Filters) == 0 {
			break
		}
		for _, name := range names {
			value, ok := columns[name]
			if !ok || suffixed != rest {
				value = map[bool]string{true: "emptyArrayUInt64()", false: "0"}[name == "people"]
			}
			if suffixed {
				name = map[string]string{"crowd": "rest", "people": "rest_people", "whole_crowd": "whole_rest", "entry_crowd": "entry_rest"}[name]
			}
			values = append(values, value+" AS "+name)
		}
	}
	return values
}

// crowd counts visitors, of events that have none the events.
func crowd(s source, met string) string {
	switch {
	case s == fromEvents:
		return "if(uniqExactIf(visitor, visitor != 0) > 0, uniqExactIf(visitor, visitor != 0), countIf(visitor = 0))"
	case met == "":
		return "uniqExact(visitor)"
	}
	return "uniqExactIf(visitor, " + met + ")"
}

// people names the visitors where they are few.
func (p *plan) people(s source, met string) string {
	switch {
	case s == fromEvents:
		met = "visitor != 0"
	case met == "":
		return fmt.Sprintf("groupUniqArray(%d)(visitor)", p.k)
	}
	return fmt.Sprintf("groupUniqArrayIf(%d)(visitor, %s)", p.k, met)
}

// rest is the part that tells of how many visitors the filters took something away: they are known to whoever asks without filters, too.
func (p *plan) rest(s source, keys []string, all []numerator) (part, error) {
	one := part{Source: "visits", Keys: keys}
	var met, entered string
	if s == fromEvents {
		one.Source, one.Join = "events", p.has(derivedClass)
		conditions := slices.Concat(p.stored, p.match)
		switch {
		case one.Join:
			one.Where = []string{not(slices.Concat(conditions, p.derived))}
		case len(p.derived) > 0:
			of, err := render("of_visits", part{Where: p.derived, Visits: rows{Stored: p.stored}})
			if err != nil {
				return one, err
			}
			conditions = append(conditions, of)
			fallthrough
		default:
			one.Visits.Match = []string{not(conditions)}
		}
	} else {
		conditions := slices.Clone(p.derived)
		one.Visits.Match = p.stored
		if p.has(eventClass) {
			one.Where = []string{"views > 0"}
			conditions = append(conditions, p.entered...)
		} else {
			one.Visits.Match = slices.Concat(p.stored, p.match)
		}
		if len(one.Visits.Match) > 0 {
			conditions = append(conditions, "matched > 0")
		}
		met, entered = not(conditions), not(conditions)
		if p.paged && !p.has(eventClass) {
			entered = not(slices.Concat(conditions, []string{"views > 0"}, p.entered))
		}
	}
	p.keyed(&one, s)
	for _, n := range all {
		one.Select = append(one.Select, "0 AS "+string(n))
	}
	one.Select = append(one.Select, p.crowds(s, met, entered, true)...)
	return one, nil
}

func not(conditions []string) string { return "NOT (" + strings.Join(conditions, " AND ") + ")" }

// guardedStatement makes the statement of a question of which small groups are withheld.
func (p *plan) guardedStatement(name string, form Form, f Facts) (*Statement, error) {
	g, err := p.guarded(form)
	if err != nil {
		return nil, err
	}
	g.Limits = f.Limits
	if form == Cells {
		p.params["limit"], p.params["offset"] = strconv.Itoa(MaxCells+1), "0"
	}
	sql, err := render(name, g)
	if err != nil {
		return nil, err
	}
	return &Statement{SQL: sql, Params: p.params, Form: form}, nil
}

// Tally makes the statement that tells of a question whose statement has the form Withheld how many rows its answer has, and whether something is withheld. Its
// one row is two Int64 as such rows have them at their end.
func Tally(n *Normal, f Facts) (*Statement, error) {
	p, err := newPlan(n, f)
	if err != nil {
		return nil, err
	}
	return p.guardedStatement("tally", Withheld, f)
}
