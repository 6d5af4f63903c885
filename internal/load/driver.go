package load

import (
	"context"
	"fmt"
	"math"
	"net/url"
	"sync"
	"time"
)

// Options say how a driver sends.
type Options struct {
	Rate        float64       // events a second, due at equal distances; 0: flat out, each connection sends as soon as it has its answer
	Connections int           // 64 by default
	For         time.Duration // how long events are due; 0: until the context ends
	Grace       time.Duration // how long answers are waited for at the end; 10 s by default
}

func (o *Options) setDefaults() {
	if o.Connections < 1 {
		o.Connections = 64
	}
	if o.Grace <= 0 {
		o.Grace = 10 * time.Second
	}
}

// Result is what became of the events of one run: Sent = accepted + dropped + refused + unknown.
type Result struct {
	Sent     int         // events of which at least one byte left
	Accepted []uint64    // ids answered 202 and kept
	Dropped  []uint64    // ids answered 202 with X-Plausible-Dropped: the server says that it does not count them
	Refused  map[int]int // how many were answered with another status, by status
	Unknown  []uint64    // ids whose connection ended before the answer: they may have been kept or not
	Unsent   int         // events that were due and were never sent, because no connection was free for them even in the grace time

	Elapsed time.Duration // from the first due event until nothing more was sent
	Latency *Histogram    // of every answer, from when the event was due; flat out, from when it was sent
	Service *Histogram    // of every answer, from when it was sent
	Dials   int           // connections that were opened
	Failed  int           // connections that could not be opened
}

// Driver sends a generator's requests to a server.
type Driver struct {
	generator *Generator
	now       func() time.Time
}

// NewDriver returns a driver. now must have a monotonic reading, as time.Now's.
func NewDriver(g *Generator, now func() time.Time) *Driver { return &Driver{g, now} }

// Run sends to the server at base, such as http://127.0.0.1:8000, until the time is over or ctx ends, and then waits for the answers that are due. A
// connection that dies is opened again for as long as events are due; no event is sent again. The error says that no connection was ever opened, or that
// base is no address; the end of ctx is none. Runs of one driver must not overlap in time where their order matters.
func (d *Driver) Run(ctx context.Context, base string, o Options) (Result, error) {
	o.setDefaults()
	target, err := url.Parse(base)
	if err != nil || target.Scheme != "http" || target.Port() == "" {
		return Result{}, fmt.Errorf("cannot load %q: it is not like http://127.0.0.1:8000", base)
	}
	r := &run{driver: d, address: target.Host, o: o, start: d.now(), stop: make(chan struct{}), cancel: make(chan struct{})}
	workers := make([]*worker, o.Connections)
	var wait sync.WaitGroup
	if o.Rate > 0 {
		r.events = make(chan time.Duration)
		go r.pace() // until cancel is closed, at the latest
	}
	for i := range workers {
		workers[i] = &worker{run: r, refused: map[int]int{}}
		wait.Go(workers[i].work)
	}
	done := make(chan struct{})
	go func() {
		wait.Wait()
		close(done)
	}()
	r.end(ctx, done, workers)
	return r.result(workers)
}

// run is what the connections of one Run share.
type run struct {
	driver  *Driver
	address string
	o       Options
	start   time.Time
	events  chan time.Duration // when events were due, from start; nil flat out
	stop    chan struct{}      // closed when nothing more becomes due
	cancel  chan struct{}      // closed when nothing more is sent, due or not
	ended   time.Duration      // of the run, when it was over
}

// end ends the run: when its time is over, what was due before is still sent; when ctx ends, nothing more is. Answers that do not come within the grace
// time are not waited for.
func (r *run) end(ctx context.Context, done chan struct{}, workers []*worker) {
	var over <-chan time.Time
	if r.o.For > 0 {
		timer := time.NewTimer(r.o.For)
		defer timer.Stop()
		over = timer.C
	}
	select {
	case <-ctx.Done():
	case <-over:
	case <-done:
	}
	r.ended = r.driver.now().Sub(r.start)
	close(r.stop)
	grace, stop := context.WithTimeout(context.WithoutCancel(ctx), r.o.Grace)
	defer stop()
	select {
	case <-ctx.Done():
	case <-grace.Done():
	case <-done:
	}
	close(r.cancel) // also ends the pacer
	select {
	case <-grace.Done():
	case <-done:
	}
	for _, w := range workers {
		w.cut()
	}
	<-done
	if r.o.Rate > 0 && ctx.Err() == nil { // events that were late are a part of the run
		r.ended = max(r.o.For, r.driver.now().Sub(r.start))
	}
}

// result adds up what the connections did.
func (r *run) result(workers []*worker) (Result, error) {
	total := Result{Refused: map[int]int{}, Elapsed: r.ended, Latency: &Histogram{}, Service: &Histogram{}}
	var refused error
	for _, w := range workers {
		total.Sent += w.sent
		total.Accepted = append(total.Accepted, w.accepted...)
		total.Dropped = append(total.Dropped, w.dropped...)
		total.Unknown = append(total.Unknown, w.unknown...)
		for status, n := range w.refused {
			total.Refused[status] += n
		}
		total.Latency.Add(&w.latency)
		total.Service.Add(&w.service)
		total.Dials += w.dials
		total.Failed += w.failed
		if w.dialError != nil {
			refused = w.dialError
		}
	}
	if r.o.Rate > 0 {
		all := r.ended
		if r.o.For > 0 {
			all = min(all, r.o.For)
		}
		total.Unsent = max(0, int(math.Ceil(all.Seconds()*r.o.Rate-1e-6))-total.Sent)
	}
	if total.Dials == 0 && refused != nil {
		return total, fmt.Errorf("cannot load %s: %w", r.address, refused)
	}
	return total, nil
}
