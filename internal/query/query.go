// Package query turns a question into SQL: metrics, dimensions, filters and dates in, one statement with its parameters out.
//
// web hands the body of a request to Parse; stats resolves its dates, calls Compile, runs the statement and reads the answer from the rows. This is
// the one place that says what a number means: every metric is made of numerators that add up, each part of a statement yields some of
// them per value of the dimensions, and the statement sums the parts. A visit is defined once, in sql/visit_rows.sql.
//
// Invariants: Parse and Compile are pure. No text of a question becomes SQL: identifiers come from the tables of this package, values go as
// parameters. A statement reads one site's rows that have not expired, writes nothing, and its limits are part of it. Answers are
// deterministic: rows that are equal by what was asked for are ordered by their dimensions.
//
// A question that this version cannot answer rightly is refused with a fault.Invalid that names the field; nothing is left out silently. Where a site
// keeps groups of fewer than MinVisitors back, statements leave them out or make their numbers null, say so in their rows, and leave out what they
// could be computed with (see sql/withheld.sql). With several dimensions this takes more than one statement: stats does it then.
// The package runs no statement and knows no sealed days yet.
package query

import (
	"encoding/json"
	"slices"

	"github.com/daysalt/daysalt/internal/period"
)

// Metric is the name of a number, as it is asked for.
type Metric string

// The metrics. All but the last three count; those are ratios over visits, and null where there is no visit.
const (
	Visitors      Metric = "visitors"
	Visits        Metric = "visits"
	Pageviews     Metric = "pageviews"
	Events        Metric = "events"
	ViewsPerVisit Metric = "views_per_visit" // in hundredths in a statement's rows
	BounceRate    Metric = "bounce_rate"     // whole percent
	VisitDuration Metric = "visit_duration"  // whole seconds
)

// Order is one criterion of the order of rows: a metric or a dimension of the question.
type Order struct {
	By         string
	Descending bool
}

// MarshalJSON writes the pair that a question holds.
func (o Order) MarshalJSON() ([]byte, error) {
	direction := "asc"
	if o.Descending {
		direction = "desc"
	}
	return json.Marshal([2]string{o.By, direction})
}

// Operator is how a filter compares.
type Operator string

// The operators. Values of one filter are alternatives; the negated ones hold where no value matches.
const (
	Is          Operator = "is"
	IsNot       Operator = "is_not"
	Contains    Operator = "contains"
	ContainsNot Operator = "contains_not"
)

// Filter keeps what has one of the values, or none of them. All filters of a question hold at once, and those on event dimensions hold on
// one and the same event.
type Filter struct {
	Operator  Operator
	Dimension Dimension
	Values    []string
}

// MarshalJSON writes the triple that a question holds.
func (f Filter) MarshalJSON() ([]byte, error) {
	return json.Marshal([3]any{f.Operator, f.Dimension, f.Values})
}

// Include says what the answer's meta holds.
type Include struct {
	TimeLabels bool `json:"time_labels"` // the name of every bucket of the time dimension, empty ones too
	TotalRows  bool `json:"total_rows"`  // how many rows there are without pagination
}

// Pagination cuts the rows.
type Pagination struct {
	Limit  int `json:"limit"` // 1 to MaxRows
	Offset int `json:"offset"`
}

// Question is a checked question; Parse makes it. Its JSON is the normal form of what was asked and can be asked again; Dates is not part
// of it, because only a zone and a moment turn it into dates (see Normal).
type Question struct {
	Site       string      `json:"site_id"` // the site's domain
	Metrics    []Metric    `json:"metrics"`
	Dates      period.Spec `json:"-"`
	Dimensions []Dimension `json:"dimensions"`
	Filters    []Filter    `json:"filters"`
	OrderBy    []Order     `json:"order_by"`
	Include    Include     `json:"include"`
	Pagination Pagination  `json:"pagination"`
}

// Normal is a question with absolute dates: the echo in an answer. Asked again, it has the same answer.
type Normal struct {
	Question
	Range period.Range `json:"date_range"`
}

// At returns the question for a range of dates: the dimension "time" becomes the one that suits the range.
func (q *Question) At(r period.Range) Normal {
	n := Normal{Question: *q, Range: r}
	if i := slices.Index(n.Dimensions, Time); i >= 0 {
		concrete := timeDimension(r.Interval(period.Auto))
		n.Dimensions = slices.Clone(n.Dimensions)
		n.Dimensions[i] = concrete
		n.OrderBy = slices.Clone(n.OrderBy)
		for j := range n.OrderBy {
			if n.OrderBy[j].By == string(Time) {
				n.OrderBy[j].By = string(concrete)
			}
		}
	}
	return n
}

// Interval returns the interval of the question's time dimension, and false when it has none.
func (q *Question) Interval() (period.Interval, bool) {
	for _, d := range q.Dimensions {
		if c, ok := lookup(d); ok && c.class == timeClass {
			return c.interval, true
		}
	}
	return period.Auto, false
}
