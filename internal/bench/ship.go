package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/daysalt/daysalt/internal/fault"
	"github.com/daysalt/daysalt/internal/ship"
	"github.com/daysalt/daysalt/internal/store"
	"github.com/daysalt/daysalt/internal/visit"
)

// Ship says how storing alone is measured.
type Ship struct {
	Events int    `json:"events"`
	Sites  int    `json:"sites"`
	Seed   uint64 `json:"seed"`
	Geo    string `json:"-"` // path of a location database; "" for none
}

// Validate returns the first field that is wrong, by the name of its flag, as a fault.
func (o *Ship) Validate() error {
	switch {
	case o.Events < 1000 || o.Events > 200_000_000:
		return fault.Invalidf("events", "must be from 1000 to 200000000")
	case o.Sites < 1 || o.Sites > maxSites:
		return fault.Invalidf("sites", "must be from 1 to %d", maxSites)
	}
	return nil
}

// ShipReport is what Ship found.
type ShipReport struct {
	Ship         Ship    `json:"options"`
	Seconds      float64 `json:"seconds"`
	EventsPerSec float64 `json:"events_per_second"`
	CPUMicros    float64 `json:"cpu_us_per_event"` // of shipping and the database together
	Stored       int     `json:"stored"`
	Disk         *Disk   `json:"disk"`
}

// Wrong says what is wrong with what was stored; "" where nothing is.
func (r *ShipReport) Wrong() string {
	if r.Stored == r.Ship.Events {
		return ""
	}
	return fmt.Sprintf("%d events are stored of %d", r.Stored, r.Ship.Events)
}

// Print writes the report as text.
func (r *ShipReport) Print(w io.Writer) {
	fmt.Fprintf(w, "%d events stored in %.1f s: %.0f events/s, %.2f us CPU per event\n\n", r.Stored, r.Seconds, r.EventsPerSec, r.CPUMicros)
	r.Disk.Print(w)
}

// Ship fills a journal and measures how it is stored in an engine in this process, and how much room that takes.
func (b *Bench) Ship(ctx context.Context, o Ship) (report *ShipReport, err error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	dir, remove, err := b.temporary()
	if err != nil {
		return nil, err
	}
	defer remove()
	b.say("making %d events", o.Events)
	if err := b.fill(ctx, dir, o); err != nil {
		return nil, err
	}
	e, err := b.openEngine(filepath.Join(dir, "clickhouse"))
	if err != nil {
		return nil, err
	}
	defer func() { err = errorsOf(err, e.Close()) }()
	s, err := store.Open(ctx, store.Config{Transport: e.RoundTripper()})
	if err != nil {
		return nil, err
	}
	defer func() { err = errorsOf(err, s.Close()) }()
	if err := s.Migrate(ctx); err != nil {
		return nil, err
	}
	report = &ShipReport{Ship: o}
	b.say("storing them")
	if err := b.ship(ctx, dir, s, report); err != nil {
		return nil, err
	}
	b.say("%.0f events/s; merging", report.EventsPerSec)
	q := &asker{e.RoundTripper(), "daysalt"}
	if report.Stored, err = q.number(ctx, "SELECT count() FROM events"); err != nil {
		return nil, err
	}
	report.Disk, err = q.disk(ctx)
	return report, err
}

// ship runs what stores, until everything in the journal is.
func (b *Bench) ship(ctx context.Context, dir string, sink ship.Sink, report *ShipReport) (err error) {
	j, err := b.openJournal(dir)
	if err != nil {
		return err
	}
	defer func() { err = errorsOf(err, j.Close()) }()
	shipper, err := ship.New(ship.Config{Dir: filepath.Join(dir, "ship"), Now: b.cfg.Now}, j, visit.New(), sink, nil)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	before, _, err := usage(os.Getpid())
	if err != nil {
		return errors.Join(err, shipper.Close())
	}
	began := b.cfg.Now()
	ended := make(chan error, 1)
	go func() { ended <- shipper.Run(ctx) }()
	err = b.stored(ctx, shipper, uint64(report.Ship.Events))
	took := b.cfg.Now().Sub(began)
	after, _, uerr := usage(os.Getpid())
	stop()
	if err := errorsOf(err, uerr, <-ended); err != nil {
		return err
	}
	n := float64(report.Ship.Events)
	report.Seconds, report.EventsPerSec, report.CPUMicros = took.Seconds(), n/took.Seconds(), float64((after-before).Nanoseconds())/1000/n
	return nil
}

// stored waits until so many rows are, or none comes any more.
func (b *Bench) stored(ctx context.Context, s *ship.Shipper, want uint64) error {
	var last uint64
	since := b.cfg.Now()
	for {
		n := s.Stats().Rows
		switch {
		case n >= want:
			return nil
		case n != last:
			last, since = n, b.cfg.Now()
		case b.cfg.Now().Sub(since) > stall:
			return fmt.Errorf("nothing was stored for %v: %d of %d events are", stall, n, want)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
}
