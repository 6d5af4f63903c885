package bench

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/daysalt/daysalt/internal/fault"
	"github.com/daysalt/daysalt/internal/load"
)

// Ingest says how taking events is measured.
type Ingest struct {
	Rate        float64       `json:"rate"` // events a second; 0: flat out
	Duration    time.Duration `json:"-"`
	Seconds     float64       `json:"seconds"` // Duration; set by Ingest
	Connections int           `json:"connections"`
	Sites       int           `json:"sites"`
	Visitors    int           `json:"visitors"`
	Pairs       int           `json:"pairs"`    // how often it is measured; each time on a new server
	Baseline    bool          `json:"baseline"` // each time also on a server that does nothing
	Paused      bool          `json:"paused"`   // the database, in a process of its own, is stopped meanwhile
	Wrk         bool          `json:"wrk"`      // wrk sends, flat out
	Seed        uint64        `json:"seed"`
	Disk        bool          `json:"-"` // at the end, how much room the events of the last server take

	Warm time.Duration `json:"-"` // for how long the servers are warmed
}

// Bounds of what can be asked for.
const (
	maxSites       = 100
	maxConnections = 10_000
	maxVisitors    = 5_000_000
	maxPairs       = 100
)

// Validate returns the first field that is wrong, by the name of its flag, as a fault.
func (o *Ingest) Validate() error {
	switch {
	case o.Rate < 0 || o.Rate > 1e7:
		return fault.Invalidf("rate", "must be from 0, which is flat out, to 10000000 events a second")
	case o.Duration < 100*time.Millisecond || o.Duration > time.Hour:
		return fault.Invalidf("duration", "must be from 100ms to 1h")
	case o.Connections < 1 || o.Connections > maxConnections:
		return fault.Invalidf("connections", "must be from 1 to %d", maxConnections)
	case o.Sites < 1 || o.Sites > maxSites:
		return fault.Invalidf("sites", "must be from 1 to %d", maxSites)
	case o.Visitors < 1 || o.Visitors > maxVisitors:
		return fault.Invalidf("visitors", "must be from 1 to %d", maxVisitors)
	case o.Pairs < 1 || o.Pairs > maxPairs:
		return fault.Invalidf("pairs", "must be from 1 to %d", maxPairs)
	case o.Wrk && o.Rate > 0:
		return fault.Invalidf("wrk", "sends flat out, and cannot be given with --rate")
	case o.Wrk && o.Duration%time.Second != 0:
		return fault.Invalidf("duration", "must be whole seconds with --wrk")
	}
	return nil
}

// sites returns the domains that are visited.
func (o *Ingest) sites() []string {
	all := make([]string, o.Sites)
	for i := range all {
		all[i] = "site-" + strconv.Itoa(i+1) + ".example"
	}
	return all
}

// Ingest measures a server, and the bare one beside it.
func (b *Bench) Ingest(ctx context.Context, o Ingest) (*Report, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if o.Wrk {
		if err := findWrk(); err != nil {
			return nil, err
		}
	}
	o.Seconds = o.Duration.Seconds()
	report := &Report{Ingest: o}
	for pair := 1; pair <= o.Pairs; pair++ {
		run, err := b.measure(ctx, o, pair, report)
		if err != nil {
			return nil, err
		}
		report.Server = append(report.Server, run)
		b.say("%d of %d, server:   %s", pair, o.Pairs, run.line())
		if !o.Baseline {
			continue
		}
		if run, err = b.measureBare(ctx, o, pair); err != nil {
			return nil, err
		}
		report.Baseline = append(report.Baseline, run)
		b.say("%d of %d, baseline: %s", pair, o.Pairs, run.line())
	}
	report.sum()
	return report, nil
}

// measure starts a server, loads it, stops it and asks its database.
func (b *Bench) measure(ctx context.Context, o Ingest, pair int, report *Report) (Run, error) {
	dir, remove, err := b.temporary()
	if err != nil {
		return Run{}, err
	}
	defer remove()
	t, err := b.server(ctx, dir, o.sites(), o.Paused)
	if err != nil {
		return Run{}, err
	}
	defer t.kill()
	s, err := b.newSession(t, o, pair)
	if err != nil {
		return Run{}, err
	}
	defer s.close()
	if err := s.warm(ctx); err != nil {
		return Run{}, err
	}
	if err := b.drained(ctx, t); err != nil {
		return Run{}, err
	}
	run, err := s.window(ctx)
	if err != nil {
		return Run{}, err
	}
	if err := t.stop(); err != nil {
		return Run{}, err
	}
	err = b.ask(ctx, t, s, &run, report)
	return run, err
}

// bareFor is how long the server that does nothing is measured at most.
const bareFor = 10 * time.Second

// measureBare does the same with the server that does nothing.
func (b *Bench) measureBare(ctx context.Context, o Ingest, pair int) (Run, error) {
	o.Duration = min(o.Duration, bareFor) // It has nothing that fills up.
	t, err := b.bare(ctx, os.TempDir())
	if err != nil {
		return Run{}, err
	}
	defer t.kill()
	s, err := b.newSession(t, o, pair)
	if err != nil {
		return Run{}, err
	}
	defer s.close()
	if err := s.warm(ctx); err != nil {
		return Run{}, err
	}
	run, err := s.window(ctx)
	if err != nil {
		return Run{}, err
	}
	return run, t.stop()
}

// session is the load on one target.
type session struct {
	bench     *Bench
	target    *target
	o         Ingest
	generator *load.Generator
	driver    *load.Driver
	book      *book
	wrk       *wrk // nil: the driver sends
}

func (b *Bench) newSession(t *target, o Ingest, pair int) (*session, error) {
	seed := o.Seed + uint64(2*pair)
	s := &session{bench: b, target: t, o: o, book: newBook(seed)}
	s.generator = load.New(load.Config{Seed: seed, Sites: o.sites(), Visitors: o.Visitors, IDs: true})
	s.driver = load.NewDriver(s.generator, b.cfg.Now)
	if !o.Wrk {
		return s, nil
	}
	var err error
	s.wrk, err = newWrk(b.cfg.Dir, load.New(load.Config{Seed: seed + 1, Sites: o.sites(), Visitors: o.Visitors, IDs: true}), seed+1)
	return s, err
}

func (s *session) close() {
	if s.wrk != nil {
		s.wrk.close()
	}
}

// warm sends for a while what is not measured.
func (s *session) warm(ctx context.Context) error {
	got, err := s.driver.Run(ctx, s.target.base, load.Options{Rate: s.o.Rate, Connections: s.o.Connections, For: s.o.Warm})
	s.book.add(got)
	if err == nil {
		err = ctx.Err()
	}
	return err
}

// window measures. A server that stores meanwhile is charged for all of it: its time is read when everything is stored.
func (s *session) window(ctx context.Context) (Run, error) {
	t, pid := s.target, s.target.process.cmd.Process.Pid
	if s.o.Paused && t.engine != nil {
		if err := t.pause(true); err != nil {
			return Run{}, err
		}
		// What is shipped stops when the batches that are under way are full, which takes some more events.
		if err := s.warm(ctx); err != nil {
			return Run{}, err
		}
	}
	before, _, err := usage(pid)
	if err != nil {
		return Run{}, err
	}
	run, err := s.send(ctx)
	if err != nil {
		return Run{}, err
	}
	after, resident, err := usage(pid)
	if err != nil {
		return Run{}, err
	}
	run.ResidentBytes = resident
	switch {
	case t.engine != nil:
		if err := errorsOf(t.pause(false), s.bench.drained(ctx, t)); err != nil {
			return Run{}, err
		}
	case t.metrics != "":
		if after, err = s.settle(ctx, &run); err != nil {
			return Run{}, err
		}
	}
	run.CPUMicros = run.each(after - before)
	return run, nil
}

// settle notes how far behind the server is, waits until it is not, and returns the processor time that it has used by then.
func (s *session) settle(ctx context.Context, run *Run) (time.Duration, error) {
	ended := s.bench.cfg.Now()
	v, err := s.target.read(ctx)
	if err != nil {
		return 0, err
	}
	if err := s.bench.drained(ctx, s.target); err != nil {
		return 0, err
	}
	lag, drain := v[lagSeconds], s.bench.cfg.Now().Sub(ended).Seconds()
	run.LagSeconds, run.DrainSeconds = &lag, &drain
	cpu, _, err := usage(s.target.process.cmd.Process.Pid)
	return cpu, err
}

// send sends for the time of a window.
func (s *session) send(ctx context.Context) (Run, error) {
	if s.wrk != nil {
		return s.wrk.run(ctx, s.target.base, s.o, s.book)
	}
	before, _, err := usage(os.Getpid())
	if err != nil {
		return Run{}, err
	}
	got, err := s.driver.Run(ctx, s.target.base, load.Options{Rate: s.o.Rate, Connections: s.o.Connections, For: s.o.Duration})
	if err == nil {
		err = ctx.Err()
	}
	after, _, uerr := usage(os.Getpid())
	if err := errorsOf(err, uerr); err != nil {
		return Run{}, err
	}
	s.book.add(got)
	run := runOf(got)
	run.driver(after - before)
	return run, nil
}

// ask opens the database of a server that has ended, and compares.
func (b *Bench) ask(ctx context.Context, t *target, s *session, run *Run, report *Report) error {
	database, data := "daysalt", t.data
	if t.engine != nil {
		database, data = "default", filepath.Dir(t.data)
	}
	e, err := b.openEngine(filepath.Join(data, "clickhouse"))
	if err != nil {
		return err
	}
	q := &asker{e.RoundTripper(), database}
	err = s.book.check(ctx, q, run)
	if err == nil && s.o.Disk && len(report.Server) == s.o.Pairs-1 {
		report.Disk, err = q.disk(ctx)
	}
	if cerr := e.Close(); err == nil && cerr != nil {
		err = fmt.Errorf("cannot close the database: %w", cerr)
	}
	return err
}

// errorsOf returns the first error.
func errorsOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
