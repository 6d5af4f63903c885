// Package stats answers questions about a site: it resolves their dates, runs their statements, and shapes the rows into answers.
//
// web asks it; it asks store through Runner, with statements that query compiled.
//
// Invariants: at most Config.Parallel statements run at once, and whoever waits for a place stops waiting when its context ends. Every statement has
// limits of time and memory, and a context that ends a little after them. A number is passed on as query made it: nothing is
// counted or estimated here.
//
// It caches nothing, compares no periods, and does not fill buckets in which nothing happened.
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

// Answer answers a question about a site. The caller has looked the site up by the question's Site. Errors are fault.Unavailable where
// the question took too much, the context's where it ended first, and internal otherwise.
func (s *Service) Answer(ctx context.Context, site Site, q *query.Question) (*Answer, error) {
	now := s.now()
	normal := q.At(q.Dates.Resolve(now, site.Zone))
	stmt, err := query.Compile(&normal, s.facts(site, now))
	if err != nil {
		return nil, err
	}
	a := &Answer{Results: []Row{}, Query: normal}
	total, err := s.rows(ctx, stmt, &a.Results, &normal)
	if err != nil {
		return nil, err
	}
	if q.Include.TotalRows {
		if total == 0 && q.Pagination.Offset > 0 {
			// Rows tell how many there are, and behind the last one there is none.
			if total, err = s.count(ctx, site, normal, now); err != nil {
				return nil, err
			}
		}
		a.Meta.TotalRows = &total
	}
	if i, ok := normal.Interval(); ok && q.Include.TimeLabels {
		a.Meta.TimeLabels = normal.Range.Labels(i, site.Zone)
	}
	return a, nil
}

// Current returns how many distinct visitors had an event, engagement aside, in the last five minutes.
func (s *Service) Current(ctx context.Context, site Site) (int, error) {
	now := s.now()
	stmt, err := query.Current(s.facts(site, now), now.Add(-currentWindow), now)
	if err != nil {
		return 0, err
	}
	var n int64
	err = s.run(ctx, stmt, func(scan func(dest ...any) error) error { return scan(&n) })
	return int(n), err
}

func (s *Service) facts(site Site, now time.Time) query.Facts {
	return query.Facts{
		SiteID: site.ID, Zone: site.Zone, Today: period.DateOf(now.In(site.Zone)),
		Limits: query.Limits{Time: s.cfg.Time, MemoryBytes: s.cfg.MemoryBytes},
	}
}

// count asks how many rows a question has.
func (s *Service) count(ctx context.Context, site Site, n query.Normal, now time.Time) (int64, error) {
	n.Pagination = query.Pagination{Limit: 1}
	stmt, err := query.Compile(&n, s.facts(site, now))
	if err != nil {
		return 0, err
	}
	var rows []Row
	return s.rows(ctx, stmt, &rows, &n)
}

// rows runs the statement of a question, appends its rows and returns how many there are without pagination.
func (s *Service) rows(ctx context.Context, stmt *query.Statement, rows *[]Row, n *query.Normal) (int64, error) {
	var total int64
	err := s.run(ctx, stmt, func(scan func(dest ...any) error) error {
		row := Row{Dimensions: make([]string, len(n.Dimensions)), Metrics: make([]Value, len(n.Metrics))}
		counts := make([]*int64, len(n.Metrics))
		dest := make([]any, 0, len(row.Dimensions)+len(counts)+1)
		for i := range row.Dimensions {
			dest = append(dest, &row.Dimensions[i])
		}
		for i := range counts {
			dest = append(dest, &counts[i])
		}
		if err := scan(append(dest, &total)...); err != nil {
			return err
		}
		for i, c := range counts {
			row.Metrics[i] = value(n.Metrics[i], c)
		}
		*rows = append(*rows, row)
		return nil
	})
	return total, err
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
