package query

import (
	"embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"text/template"
	"time"

	"github.com/daysalt/daysalt/internal/period"
)

//go:embed sql/*.sql
var files embed.FS

// fragments are parsed once and never changed.
var fragments = template.Must(template.New("").Option("missingkey=error").ParseFS(files, "sql/*.sql"))

// Limits bound what one statement may take of the engine.
type Limits struct {
	Time        time.Duration // rounded up to whole seconds
	MemoryBytes uint64
}

// Seconds returns the time limit as the engine takes it.
func (l Limits) Seconds() int64 { return max(1, int64((l.Time+time.Second-1)/time.Second)) }

// Facts is what a statement needs to know beside the question.
type Facts struct {
	SiteID uint32
	Zone   *time.Location
	Today  period.Date // in Zone: a row whose retention ends before or on this day is not read
	Limits Limits
	// MinVisitors is how many visitors a group must have to be shown; 0 and 1 withhold nothing. Answers that are about everybody are exact.
	MinVisitors int
	// Anonymous says that the site has no visitor numbers: all that is made of visitors and visits is null, and rows that would be ordered by it
	// are ordered by events.
	Anonymous bool
}

// Statement is SQL to run. Its rows have a String for each dimension, a nullable Int64 for each metric, in the question's order, and
// what its Form says.
type Statement struct {
	SQL    string
	Params map[string]string // the values of {name:Type}, as the engine reads the text of a parameter
	Form   Form
}

// Compile makes the statement that answers a question. The error is a fault.Invalid where a site without visitor numbers is asked for a visit's entry or exit; any
// other is a bug of this package: a checked question compiles.
func Compile(n *Normal, f Facts) (*Statement, error) {
	p, err := newPlan(n, f)
	if err != nil {
		return nil, err
	}
	switch form := p.form(); form {
	case Withheld:
		return p.guardedStatement("withheld", form, f)
	case Cells:
		return p.guardedStatement("cells", form, f)
	default:
		o := p.question()
		o.Limits = f.Limits
		sql, err := render("question", o)
		if err != nil {
			return nil, err
		}
		return &Statement{SQL: sql, Params: p.params}, nil
	}
}

func newPlan(n *Normal, f Facts) (*plan, error) {
	p := &plan{Normal: n, params: baseParams(f, n.Range), anonymous: f.Anonymous}
	if f.MinVisitors > 1 {
		p.k = f.MinVisitors
	}
	p.params["zone"] = f.Zone.String()
	p.params["limit"] = strconv.Itoa(n.Pagination.Limit)
	p.params["offset"] = strconv.Itoa(n.Pagination.Offset)
	for _, d := range n.Dimensions {
		c, _ := lookup(d)
		p.columns = append(p.columns, c)
	}
	if err := p.answerable(); err != nil {
		return nil, err
	}
	if err := p.filter(); err != nil {
		return nil, err
	}
	return p, nil
}

// Current makes the statement that counts a site's visitors with an event since a moment. Its one row is one Int64.
func Current(f Facts, since, until time.Time) (*Statement, error) {
	params := baseParams(f, period.Range{From: f.Today - 1, To: f.Today})
	params["since"] = strconv.FormatInt(since.Unix(), 10)
	params["until"] = strconv.FormatInt(until.Unix(), 10)
	sql, err := render("current", f.Limits)
	if err != nil {
		return nil, err
	}
	return &Statement{SQL: sql, Params: params}, nil
}

func baseParams(f Facts, r period.Range) map[string]string {
	return map[string]string{
		"site":  strconv.FormatUint(uint64(f.SiteID), 10),
		"from":  r.From.String(),
		"to":    r.To.String(),
		"today": f.Today.String(),
	}
}

func render(name string, data any) (string, error) {
	var b strings.Builder
	if err := fragments.ExecuteTemplate(&b, name, data); err != nil {
		return "", fmt.Errorf("cannot render %s: %w", name, err)
	}
	return b.String(), nil
}

// plan is a question on its way to SQL.
type plan struct {
	*Normal
	columns   []column
	params    map[string]string
	k         int  // visitors that a group must have to be shown; 0 for any number
	anonymous bool // there are no visitor numbers

	stored  []string // filters on columns that every row of a visit repeats
	derived []string // filters on what only the whole visit tells
	match   []string // filters on the event's own row
	entered []string // the same, asked of the page that the visit entered on
	paged   bool     // one of them is on the page
}

// filter sorts the filters by where they can be asked, and binds their values.
func (p *plan) filter() error {
	for i, f := range p.Filters {
		c, _ := lookup(f.Dimension)
		name := "f" + strconv.Itoa(i)
		p.params[name] = quoteArray(synonyms(f, c.blank))
		onRow, err := predicate(f.Operator, c.row, c.blank, name)
		if err != nil {
			return err
		}
		onVisit, err := predicate(f.Operator, c.visit, c.blank, name)
		if err != nil {
			return err
		}
		switch c.class {
		case storedClass:
			p.stored = append(p.stored, onRow)
		case derivedClass:
			p.derived = append(p.derived, onVisit)
		default:
			p.match = append(p.match, onRow)
			p.entered = append(p.entered, onVisit)
			p.paged = p.paged || c.name == EventPage
		}
	}
	return nil
}

// synonyms lets a filter find an empty value by what an answer calls it, and the other way round: an answer shows both alike.
func synonyms(f Filter, blank string) []string {
	if f.Operator != Is && f.Operator != IsNot {
		return f.Values
	}
	named, empty := slices.Contains(f.Values, blank), slices.Contains(f.Values, "")
	switch {
	case named && !empty:
		return append(slices.Clone(f.Values), "")
	case empty && !named:
		return append(slices.Clone(f.Values), blank)
	}
	return f.Values
}

func predicate(o Operator, col, blank, param string) (string, error) {
	return render(string(o), map[string]string{"Column": col, "Shown": shown(col, blank), "Param": param})
}

// shown is a column as answers show it. Rows are grouped by the value itself, which is a fifth faster; if somebody really names a source "Direct / None",
// it is a second row of that name.
func shown(col, blank string) string {
	return fmt.Sprintf("if(%s = '', '%s', %s)", col, blank, col)
}

func (p *plan) has(c class) bool {
	return slices.ContainsFunc(p.columns, func(col column) bool { return col.class == c })
}

func (p *plan) hourly() bool {
	i, ok := p.Interval()
	return ok && i == period.Hour
}
