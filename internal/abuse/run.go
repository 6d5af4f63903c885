package abuse

import (
	"context"
	"slices"
	"strconv"
	"time"
)

// batch is what one insert stores. It never changes: the database remembers the token, not the rows.
type batch struct {
	token string
	rows  []Row
	tries int
}

const (
	maxTries   = 10 // of a batch, one a minute
	maxWaiting = 10 // batches
	writeFor   = 30 * time.Second
	finishFor  = 5 * time.Second
)

// Run writes what was counted at the end of each minute, until ctx ends; then it writes the rest, for at most five seconds, and returns nil. It must
// be called once, and end after the last Record.
func (r *Recorder) Run(ctx context.Context) error {
	if r == nil {
		return nil
	}
	for {
		now := r.now()
		wait := time.NewTimer(now.Truncate(time.Minute).Add(time.Minute).Sub(now))
		select {
		case <-wait.C:
			_ = r.Flush(ctx) // it was counted and logged, and comes again
		case <-ctx.Done():
			wait.Stop()
			r.finish(ctx)
			return nil
		}
	}
}

// finish writes what is left, once.
func (r *Recorder) finish(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishFor)
	defer cancel()
	if err := r.Flush(ctx); err == nil {
		return
	}
	r.turn <- struct{}{}
	defer func() { <-r.turn }()
	events := uint64(0)
	for _, b := range r.waiting {
		events += countEvents(b.rows)
	}
	r.counter.dropped.Add(events)
	r.setWaiting(nil)
	r.log.Warn("masked addresses were not stored before the end", "dropped_events", events)
}

// Flush writes what was counted so far, and what waits. An error means that some of it waits still. Who deletes a site's rows calls it before,
// so that none of them comes later.
func (r *Recorder) Flush(ctx context.Context) error {
	if r == nil {
		return nil
	}
	select {
	case r.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-r.turn }()
	if len(r.waiting) < maxWaiting { // else it stays where it is counted, which is bounded too
		r.take()
	}
	limited, cancel := context.WithTimeout(ctx, writeFor)
	defer cancel()
	var failed error
	left := slices.DeleteFunc(r.waiting, func(b batch) bool {
		err := r.sink.InsertAbuse(limited, b.token, b.rows)
		if err != nil {
			r.counter.failures.Add(1)
			failed = err
			return false
		}
		r.counter.rows.Add(uint64(len(b.rows)))
		return true
	})
	if ctx.Err() == nil { // else it was the caller's patience that ended
		left = r.giveUp(left)
		r.tell(failed)
	}
	r.setWaiting(left)
	return failed
}

// take makes a batch of what was counted, and lets counting go on in a new table.
func (r *Recorder) take() {
	old := r.table.Load()
	if old.used.Load() == 0 {
		return
	}
	r.table.Store(newTable(int(old.limit)))
	if rows := old.seal(); len(rows) > 0 {
		r.batches++
		r.waiting = append(r.waiting, batch{token: "abuse " + r.run + " " + strconv.FormatUint(r.batches, 10), rows: rows})
	}
}

// giveUp counts a try, and drops what was tried often enough.
func (r *Recorder) giveUp(left []batch) []batch {
	for i := range left {
		left[i].tries++
	}
	return slices.DeleteFunc(left, func(b batch) bool {
		if b.tries < maxTries {
			return false
		}
		r.counter.dropped.Add(countEvents(b.rows))
		return true
	})
}

// tell logs the first failure and the first success after it.
func (r *Recorder) tell(failed error) {
	switch {
	case failed != nil && !r.failing:
		r.log.Warn("cannot store masked addresses, trying again every minute", "error", failed)
	case failed == nil && r.failing:
		r.log.Info("masked addresses are stored again", "dropped_events", r.counter.dropped.Load())
	}
	r.failing = failed != nil
}

func (r *Recorder) setWaiting(left []batch) {
	r.waiting = left
	n := 0
	for _, b := range left {
		n += len(b.rows)
	}
	r.counter.waiting.Store(int64(n))
}

func countEvents(rows []Row) uint64 {
	n := uint64(0)
	for i := range rows {
		n += uint64(rows[i].Events)
	}
	return n
}
