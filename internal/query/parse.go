package query

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/daysalt/daysalt/internal/fault"
	"github.com/daysalt/daysalt/internal/period"
)

// Limits of a question.
const (
	MaxRows       = 10000   // rows of an answer, and what they are without pagination
	MaxOffset     = 1000000 // rows left out before them
	MaxQuestions  = 32      // questions in one request
	maxDimensions = 4
	maxFilters    = 20
	maxValues     = 200   // of a filter; the engine searches for at most 255 at once
	maxValueBytes = 2000  // of one value: the longest path that is kept
	maxTextBytes  = 32768 // of all values: escaped twice they must fit the engine's 262,144 bytes of a statement
	maxNameBytes  = 255   // of a site, a metric, a dimension or an operator
)

// Asked is one question of a request, or why it cannot be answered.
type Asked struct {
	Question Question
	Err      error // a fault.Invalid, or nil
}

// Request is what one request asks.
type Request struct {
	Batch     bool    // asked as {"queries": [...]}: each question has its own answer or error
	Questions []Asked // exactly one if it is no batch
}

// Parse reads the body of a request: a question, or {"queries": [question, ...]}. Its error is a fault.Invalid. In a batch a wrong question
// keeps its error to itself, so that the others are answered. Nothing of body is kept.
func Parse(body []byte) (Request, error) {
	if !json.Valid(body) {
		return Request{}, fault.Invalidf("", "the body must be one JSON object")
	}
	body = []byte(strings.TrimSpace(string(body)))
	var queries json.RawMessage
	names := 0
	err := members(body, "", func(name string, value json.RawMessage) error {
		names++
		if name == "queries" {
			queries = value
		}
		return nil
	})
	if err != nil {
		return Request{}, err
	}
	if queries == nil {
		q, err := parseQuestion(body)
		if err != nil {
			return Request{}, err
		}
		return Request{Questions: []Asked{{Question: q}}}, nil
	}
	if names > 1 {
		return Request{}, fault.Invalidf("queries", "must stand alone")
	}
	raw, err := list(queries, "queries", 1, MaxQuestions)
	if err != nil {
		return Request{}, err
	}
	r := Request{Batch: true}
	for _, one := range raw {
		q, err := parseQuestion(one)
		r.Questions = append(r.Questions, Asked{Question: q, Err: err})
	}
	return r, nil
}

func parseQuestion(raw json.RawMessage) (Question, error) {
	q := Question{
		Dimensions: []Dimension{}, Filters: []Filter{}, OrderBy: []Order{},
		Pagination: Pagination{Limit: MaxRows},
	}
	dates := false
	err := members(raw, "", func(name string, value json.RawMessage) (err error) {
		switch name {
		case "site_id":
			q.Site, err = text(value, name, maxNameBytes)
		case "metrics":
			q.Metrics, err = parseMetrics(value)
		case "date_range":
			dates = true
			q.Dates, err = parseDates(value)
		case "dimensions":
			q.Dimensions, err = parseDimensions(value)
		case "filters":
			q.Filters, err = parseFilters(value)
		case "order_by":
			q.OrderBy, err = parseOrder(value)
		case "include":
			q.Include, err = parseInclude(value)
		case "pagination":
			q.Pagination, err = parsePagination(value)
		default:
			err = unknown("", name, "site_id", "metrics", "date_range", "dimensions", "filters", "order_by", "include", "pagination")
		}
		return err
	})
	switch {
	case err != nil:
		return q, err
	case q.Site == "":
		return q, fault.Invalidf("site_id", "must be the domain of a site")
	case q.Metrics == nil:
		return q, fault.Invalidf("metrics", "must be there; use %s", strings.Join(metricNames(), ", "))
	case !dates:
		return q, fault.Invalidf("date_range", `must be there, for example "7d"`)
	}
	err = q.checkParts()
	return q, err
}

// checkParts checks what concerns more than one member, and fills in the default order.
func (q *Question) checkParts() error {
	interval, timed := q.Interval()
	if q.Include.TimeLabels && !timed {
		return fault.Invalidf("include.time_labels", "needs a time dimension")
	}
	for i, o := range q.OrderBy {
		if !slices.Contains(q.Metrics, Metric(o.By)) && !slices.Contains(q.Dimensions, Dimension(o.By)) {
			return fault.Invalidf(index("order_by", i), "must be one of the question's metrics or dimensions")
		}
	}
	if len(q.OrderBy) == 0 {
		by := Order{By: string(q.Metrics[0]), Descending: true}
		if timed {
			by = Order{By: string(timeDimension(interval))}
		}
		q.OrderBy = []Order{by}
	}
	return nil
}

func metricNames() []string {
	return []string{
		string(Visitors), string(Visits), string(Pageviews), string(Events), string(ViewsPerVisit), string(BounceRate), string(VisitDuration),
	}
}

func parseMetrics(raw json.RawMessage) ([]Metric, error) {
	names := metricNames()
	values, err := list(raw, "metrics", 1, len(names))
	if err != nil {
		return nil, err
	}
	metrics := make([]Metric, 0, len(values))
	for i, v := range values {
		name, err := text(v, index("metrics", i), maxNameBytes)
		switch {
		case err != nil:
			return nil, err
		case !slices.Contains(names, name):
			return nil, unknownValue(index("metrics", i), name, names...)
		case slices.Contains(metrics, Metric(name)):
			return nil, fault.Invalidf("metrics", "%s is there twice", name)
		}
		metrics = append(metrics, Metric(name))
	}
	return metrics, nil
}

func parseDates(raw json.RawMessage) (period.Spec, error) {
	if raw[0] == '"' {
		s, err := text(raw, "date_range", maxNameBytes)
		if err != nil {
			return period.Spec{}, err
		}
		return period.Parse(s)
	}
	pair, err := list(raw, "date_range", 1, 2)
	if err != nil || len(pair) != 2 {
		return period.Spec{}, fault.Invalidf("date_range", `must be text such as "7d", or a pair of dates`)
	}
	from, err := text(pair[0], "date_range[0]", maxNameBytes)
	if err != nil {
		return period.Spec{}, err
	}
	to, err := text(pair[1], "date_range[1]", maxNameBytes)
	if err != nil {
		return period.Spec{}, err
	}
	return period.ParsePair(from, to)
}

func parseDimensions(raw json.RawMessage) ([]Dimension, error) {
	values, err := list(raw, "dimensions", 0, maxDimensions)
	if err != nil {
		return nil, err
	}
	timed := false
	dimensions := make([]Dimension, 0, len(values))
	for i, v := range values {
		c, err := parseDimension(v, index("dimensions", i))
		if err != nil {
			return nil, err
		}
		if slices.Contains(dimensions, c.name) {
			return nil, fault.Invalidf("dimensions", "%s is there twice", c.name)
		}
		if c.class == timeClass && timed {
			return nil, fault.Invalidf("dimensions", "must have at most one time dimension")
		}
		timed = timed || c.class == timeClass
		dimensions = append(dimensions, c.name)
	}
	return dimensions, nil
}

func parseDimension(raw json.RawMessage, field string) (column, error) {
	name, err := text(raw, field, maxNameBytes)
	if err != nil {
		return column{}, err
	}
	c, ok := lookup(Dimension(name))
	if !ok {
		names := make([]string, 0, len(columns()))
		for _, c := range columns() {
			names = append(names, string(c.name))
		}
		return column{}, unknownValue(field, name, names...)
	}
	return c, nil
}

func parseOrder(raw json.RawMessage) ([]Order, error) {
	values, err := list(raw, "order_by", 0, maxDimensions+len(metricNames()))
	if err != nil {
		return nil, err
	}
	orders := make([]Order, 0, len(values))
	for i, v := range values {
		field := index("order_by", i)
		pair, err := list(v, field, 1, 2)
		if err != nil || len(pair) != 2 {
			return nil, fault.Invalidf(field, `must be a pair such as ["visitors", "desc"]`)
		}
		by, err := text(pair[0], field, maxNameBytes)
		if err != nil {
			return nil, err
		}
		direction, err := text(pair[1], field, maxNameBytes)
		if err != nil || direction != "asc" && direction != "desc" {
			return nil, fault.Invalidf(field, `the direction must be "asc" or "desc"`)
		}
		if slices.ContainsFunc(orders, func(o Order) bool { return o.By == by }) {
			return nil, fault.Invalidf("order_by", "%s is there twice", cut(by))
		}
		orders = append(orders, Order{By: by, Descending: direction == "desc"})
	}
	return orders, nil
}

func parseInclude(raw json.RawMessage) (Include, error) {
	var in Include
	err := members(raw, "include", func(name string, value json.RawMessage) (err error) {
		switch name {
		case "time_labels":
			in.TimeLabels, err = truth(value, "include.time_labels")
		case "total_rows":
			in.TotalRows, err = truth(value, "include.total_rows")
		default:
			err = unknown("include", name, "time_labels", "total_rows")
		}
		return err
	})
	return in, err
}

func parsePagination(raw json.RawMessage) (Pagination, error) {
	p := Pagination{Limit: MaxRows}
	err := members(raw, "pagination", func(name string, value json.RawMessage) (err error) {
		switch name {
		case "limit":
			p.Limit, err = whole(value, "pagination.limit", 1, MaxRows)
		case "offset":
			p.Offset, err = whole(value, "pagination.offset", 0, MaxOffset)
		default:
			err = unknown("pagination", name, "limit", "offset")
		}
		return err
	})
	return p, err
}
