// Package stats answers questions about a site: it resolves their dates, runs their statements, and shapes the rows into answers.
//
// web asks it; it asks store through Runner, with statements that query compiled.
//
// Invariants: at most Config.Parallel statements run at once, and whoever waits for a place stops waiting when its context ends. Every statement has
// limits of time and memory, and a context that ends a little after them. A number is passed on as query made it: nothing is
// counted or estimated here. Of a site with MinVisitors no breakdown or filtered answer has a number of fewer visitors, and none such can be found by subtracting what one
// answer shows from the answers to the same question without its filters or with fewer of its dimensions.
//
// It caches nothing, compares no periods, and does not fill buckets in which nothing happened. It remembers no question: what can be found by comparing
// answers to other dates, or to overlapping filters, it does not prevent.
package stats

import (
	"context"
	"fmt"
	"time"

	"github.com/daysalt/daysalt/internal/fault"
	"github.com/daysalt/daysalt/internal/period"
	"github.com/daysalt/daysalt/internal/query"
)

const (
	// currentWindow is how long ago a visitor's last event may be for the visitor to count as being there now.
	currentWindow = 5 * time.Minute
	// grace is how much longer than the engine's own time limit a statement is waited for.
	grace = 2 * time.Second
)

// Runner runs a statement and hands each of its rows to each. It returns a fault.Unavailable where a limit of the statement was reached.
type Runner interface {
	Select(ctx context.Context, sql string, params map[string]string, each func(scan func(dest ...any) error) error) error
}

// Config bounds the work of a Service. Zero values become the defaults.
type Config struct {
	Parallel    int           // statements at once; default 4
	Time        time.Duration // for one statement; default 15 s
	MemoryBytes uint64        // for one statement; default 512 MiB
}

func (c *Config) setDefaults() error {
	if c.Parallel < 0 || c.Time < 0 {
		return fault.Invalidf("stats", "the number of statements and their time must not be negative")
	}
	if c.Parallel == 0 {
		c.Parallel = 4
	}
	if c.Time == 0 {
		c.Time = 15 * time.Second
	}
	if c.MemoryBytes == 0 {
		c.MemoryBytes = 512 << 20
	}
	return nil
}

// Site is what an answer needs to know of a site.
type Site struct {
	ID     uint32
	Domain string
	Zone   *time.Location // decides the site's day
	// Anonymous says that the site's events have no visitor numbers: visitors, visits and what is made of them are null in its answers.
	Anonymous bool
	// MinVisitors is how many visitors a row of an answer has at least, of an anonymous site how many events; 0 and 1 withhold nothing.
	MinVisitors int
}

// Service answers questions. It is safe for concurrent use.
type Service struct {
	cfg    Config
	runner Runner
	now    func() time.Time
	places chan struct{}
}

// New returns a Service that asks runner.
func New(cfg Config, runner Runner, now func() time.Time) (*Service, error) {
	if err := cfg.setDefaults(); err != nil {
		return nil, err
	}
	return &Service{cfg: cfg, runner: runner, now: now, places: make(chan struct{}, cfg.Parallel)}, nil
}

// Answer answers a question about a site. The caller has looked the site up by the question's Site. Errors are fault.Invalid where the site
// cannot be asked this, fault.Unavailable where the question took too much, the context's where it ended first, and internal otherwise.
func (s *Service) Answer(ctx context.Context, site Site, q *query.Question) (*Answer, error) {
	now := s.now()
	normal := q.At(q.Dates.Resolve(now, site.Zone))
	facts := s.facts(site, now)
	stmt, err := query.Compile(&normal, facts)
	if err != nil {
		return nil, err
	}
	a := &Answer{Results: []Row{}, Query: normal}
	read := s.rows
	if stmt.Form == query.Cells {
		read = s.cells
	}
	t, err := read(ctx, stmt, &a.Results, &normal, facts)
	if err != nil {
		return nil, err
	}
	// Rows tell how many there are and whether others are withheld; behind the last one, or where none is shown, there is none to tell it.
	untold := stmt.Form == query.Withheld || q.Include.TotalRows && q.Pagination.Offset > 0
	if len(a.Results) == 0 && stmt.Form != query.Cells && untold {
		if t, err = s.count(ctx, normal, stmt.Form, facts); err != nil {
			return nil, err
		}
	}
	if q.Include.TotalRows {
		a.Meta.TotalRows = &t.rows
	}
	if i, ok := normal.Interval(); ok && q.Include.TimeLabels {
		a.Meta.TimeLabels = normal.Range.Labels(i, site.Zone)
	}
	a.Meta.warn(site, normal.Metrics, t.withheld)
	return a, nil
}

// Current returns how many distinct visitors had an event, engagement aside, in the last five minutes. It is null where they are too few to say so,
// and of an anonymous site.
func (s *Service) Current(ctx context.Context, site Site) (Value, error) {
	if site.Anonymous {
		return Value{Null: true}, nil
	}
	now := s.now()
	stmt, err := query.Current(s.facts(site, now), now.Add(-currentWindow), now)
	if err != nil {
		return Value{}, err
	}
	var n int64
	if err := s.run(ctx, stmt, func(scan func(dest ...any) error) error { return scan(&n) }); err != nil {
		return Value{}, err
	}
	if 0 < n && n < int64(site.MinVisitors) {
		return Value{Null: true}, nil
	}
	return Value{Hundredths: 100 * n}, nil
}

func (s *Service) facts(site Site, now time.Time) query.Facts {
	return query.Facts{
		SiteID: site.ID, Zone: site.Zone, Today: period.DateOf(now.In(site.Zone)),
		Limits:      query.Limits{Time: s.cfg.Time, MemoryBytes: s.cfg.MemoryBytes},
		MinVisitors: site.MinVisitors, Anonymous: site.Anonymous,
	}
}

// tally is what an answer's rows tell beside themselves.
type tally struct {
	rows     int64 // without pagination; 0 if it was not asked for
	withheld bool
}

// count asks for the tally of a question.
func (s *Service) count(ctx context.Context, n query.Normal, form query.Form, f query.Facts) (tally, error) {
	if form == query.Plain {
		n.Pagination = query.Pagination{Limit: 1}
		stmt, err := query.Compile(&n, f)
		if err != nil {
			return tally{}, err
		}
		var rows []Row
		return s.rows(ctx, stmt, &rows, &n, f)
	}
	stmt, err := query.Tally(&n, f)
	if err != nil {
		return tally{}, err
	}
	var rows, withheld int64
	err = s.run(ctx, stmt, func(scan func(dest ...any) error) error { return scan(&rows, &withheld) })
	return tally{rows: rows, withheld: withheld != 0}, err
}

// rows runs the statement of a question and appends its rows.
func (s *Service) rows(ctx context.Context, stmt *query.Statement, rows *[]Row, n *query.Normal, _ query.Facts) (tally, error) {
	var t tally
	var withheld int64
	behind := []any{&t.rows}
	if stmt.Form == query.Withheld {
		behind = append(behind, &withheld)
	}
	err := s.run(ctx, stmt, func(scan func(dest ...any) error) error {
		row, err := scanRow(scan, n, behind...)
		*rows = append(*rows, row)
		t.withheld = withheld != 0
		return err
	})
	return t, err
}

// cells runs the statement of a question with several dimensions on a site that withholds, and appends the rows of its page that may be shown.
func (s *Service) cells(ctx context.Context, stmt *query.Statement, rows *[]Row, n *query.Normal, f query.Facts) (tally, error) {
	var t tally
	var all []cell
	err := s.run(ctx, stmt, func(scan func(dest ...any) error) (err error) {
		c := cell{keys: make([]string, len(n.Dimensions))}
		var partly int64
		behind := make([]any, 0, len(c.keys)+3)
		for i := range c.keys {
			behind = append(behind, &c.keys[i])
		}
		c.row, err = scanRow(scan, n, append(behind, &c.in, &c.out, &partly)...)
		all = append(all, c)
		t.withheld = t.withheld || partly != 0
		return err
	})
	if err != nil {
		return t, err
	}
	if len(all) > query.MaxCells {
		return t, fault.Invalidf("dimensions", "make more than %d rows here, too many to find those of small groups; ask for fewer dimensions or days", query.MaxCells)
	}
	withhold(all, len(n.Dimensions), int64(f.MinVisitors))
	first := int64(n.Pagination.Offset)
	for _, c := range all {
		if c.hidden {
			t.withheld = true
			continue
		}
		if t.rows >= first && t.rows < first+int64(n.Pagination.Limit) {
			*rows = append(*rows, c.row)
		}
		t.rows++
	}
	return t, nil
}

// scanRow reads a row of a statement, and what it has behind the metrics.
func scanRow(scan func(dest ...any) error, n *query.Normal, behind ...any) (Row, error) {
	row := Row{Dimensions: make([]string, len(n.Dimensions)), Metrics: make([]Value, len(n.Metrics))}
	counts := make([]*int64, len(n.Metrics))
	dest := make([]any, 0, len(row.Dimensions)+len(counts)+len(behind))
	for i := range row.Dimensions {
		dest = append(dest, &row.Dimensions[i])
	}
	for i := range counts {
		dest = append(dest, &counts[i])
	}
	err := scan(append(dest, behind...)...)
	for i, c := range counts {
		row.Metrics[i] = value(n.Metrics[i], c)
	}
	return row, err
}

// run runs a statement when there is a place for it.
func (s *Service) run(ctx context.Context, stmt *query.Statement, each func(scan func(dest ...any) error) error) error {
	select {
	case s.places <- struct{}{}:
		defer func() { <-s.places }()
	case <-ctx.Done():
		return fmt.Errorf("cannot wait for a place to ask: %w", context.Cause(ctx))
	}
	bounded, cancel := context.WithTimeout(ctx, s.cfg.Time+grace)
	defer cancel()
	err := s.runner.Select(bounded, stmt.SQL, stmt.Params, each)
	if err != nil && ctx.Err() == nil && bounded.Err() != nil {
		return fault.Unavailablef(err, "the question took too long; ask for fewer days")
	}
	if err != nil {
		return fmt.Errorf("cannot answer the question: %w", err)
	}
	return nil
}
