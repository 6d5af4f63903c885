// Package ship carries events from the journal to the store: it reads them in order, joins them to visits, and writes them in batches, each exactly
// once.
//
// It stands between journal and store. Its only inputs are the journal's frames, so what it writes is a function of them; the clock decides
// how large a batch is and how often a checkpoint is written, never what is in a row. It is the only place of the write line that tries again.
//
// Invariants. A batch is frozen before its first attempt: its cut, the piece of the journal it holds, is on disk by then, and so is what its
// deduplication token is made of. A cut lies within one segment and its token is made from that segment's id and random number, the offsets and the
// frames' checksums, so it never names other rows. A recorded cut is never cut again: after a crash the same frames go out under the same tokens, and a sink that
// drops what it knows by token has every row once. The checkpoint (a position of the journal, and the visits and imports open there) is replaced whole, and
// only behind it segments are released. A frame that cannot be decoded goes to the quarantine file and the line goes on.
//
// An import has visits of its own and the highest number that came of its events: one with that number or a smaller one was sent again, and is no row. Live
// events and imports do not touch each other's visits. The frame that ends an import forgets both. An imported event is durable in the journal before it is stored,
// so that a loss of power does not leave its row alone behind, and it is known when its chunk is sent again.
//
// What losing a file costs: without the checkpoint the oldest segment is replayed by its recorded cuts and nothing is stored twice, but visits that
// were open where that segment begins start anew in what is not stored yet, and an import's events that are sent again after it are stored again. A damaged record of a cut is inferred from its neighbours. Without
// the whole file of cuts, the batches since the last checkpoint may be stored twice; without both, those of the segments that are left.
//
// It does not make tables, choose columns or know SQL, it computes no totals, and it does not judge why an insert failed: it tries for ever.
package ship

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/daysalt/daysalt/internal/event"
	"github.com/daysalt/daysalt/internal/journal"
	"github.com/daysalt/daysalt/internal/visit"
)

// ErrStopped is returned by Flush when Run has ended, or ends meanwhile, and by Flush and Run after Close.
var ErrStopped = errors.New("shipping has stopped")

// Sink stores rows. Insert is called at least once for a token, with the same rows each time (but where a file was lost or damaged between), and
// stores them once: rows under a token that it has stored are dropped. It does not keep rows after it returned. Any error means that nothing is known, and the
// call is made again.
type Sink interface {
	Insert(ctx context.Context, token string, rows []event.Row) error
}

// Config says how events are shipped. Zero values stand for the defaults where there is one.
type Config struct {
	Dir             string           // of the checkpoint, the cuts and the quarantine; may be the journal's; made if missing, 0700; required
	BatchRows       int              // most rows of a batch, from 1 to 1,000,000; 50,000 by default
	FlushEvery      time.Duration    // how long the first row of a batch waits for others; 1 s by default
	DrainFor        time.Duration    // how long Run goes on after its context ended; 10 s by default
	CheckpointEvery time.Duration    // how often a checkpoint is written while there is something new; 10 s by default
	Now             func() time.Time // for the lag and the pace of checkpoints; required
}

func (c *Config) setDefaults() {
	if c.BatchRows == 0 {
		c.BatchRows = 50_000
	}
	if c.FlushEvery == 0 {
		c.FlushEvery = time.Second
	}
	if c.DrainFor == 0 {
		c.DrainFor = 10 * time.Second
	}
	if c.CheckpointEvery == 0 {
		c.CheckpointEvery = 10 * time.Second
	}
}

func (c *Config) validate() error {
	switch {
	case c.Dir == "":
		return errors.New("dir: is required")
	case c.BatchRows < 1 || c.BatchRows > 1_000_000: // One insert has to be one block, and ClickHouse splits at 1,048,449 rows.
		return fmt.Errorf("batch_rows: must be from 1 to 1000000, not %d", c.BatchRows)
	case c.FlushEvery < 0 || c.DrainFor < 0 || c.CheckpointEvery < 0:
		return errors.New("flush_every, drain_for, checkpoint_every: must not be negative")
	case c.Now == nil:
		return errors.New("now: is required")
	}
	return nil
}

// Shipper ships one journal. Run or Close has to be called, or what New opened stays open. Run is called once; Flush and Stats are safe for concurrent use.
type Shipper struct {
	cfg    Config
	log    *slog.Logger
	j      *journal.Journal
	reader *journal.Reader
	visits *visit.Tracker // of live events
	sink   Sink
	sync   func(upTo journal.Position) error // the journal's but in tests

	// Of the goroutine in Run.
	imports     imports
	cuts        *cutFile
	quarantine  *quarantine
	batch       batch
	frame       event.Frame // what is being read
	row         event.Row   // its event
	flushTimer  *time.Timer
	flushDue    bool // the batch has waited long enough
	checkTimer  *time.Timer
	checkDue    bool
	checked     journal.Position // of the last checkpoint
	checkedAt   time.Time
	checkpause  time.Duration // so long after it a segment's end is no reason for another one
	checkBroken bool          // the last attempt failed, and was logged
	answering   []*waiter     // taken from waiters

	poke    chan struct{} // a waiter came
	asked   atomic.Bool   // waiters is not empty
	stopped chan struct{} // Run has ended, or Close was called
	closing sync.Once     // of what New opened

	mu        sync.Mutex        // guards what follows
	waiters   []*waiter         // of Flush
	pos       journal.Position  // everything before it is stored
	forgotten map[uint16]uint64 // visits, by import
	counter   counters
}

// New makes a Shipper that goes on where the last one on this directory ended, even if that was killed. visits, which is of visit.New, is set to the state of
// then, and belongs to the Shipper from now on. log may be nil.
func New(cfg Config, j *journal.Journal, visits *visit.Tracker, sink Sink, log *slog.Logger) (*Shipper, error) {
	cfg.setDefaults()
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	s := &Shipper{
		cfg: cfg, log: log, j: j, visits: visits, sink: sink, sync: j.Sync, imports: newImports(),
		poke: make(chan struct{}, 1), stopped: make(chan struct{}), forgotten: map[uint16]uint64{},
	}
	s.imports.early = s.forget
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("cannot start shipping: %w", err)
	}
	if err := s.load(); err != nil {
		return nil, fmt.Errorf("cannot start shipping: %w", err)
	}
	return s, nil
}

// load finds what an earlier Shipper left in the directory.
func (s *Shipper) load() (err error) {
	if err := os.MkdirAll(s.cfg.Dir, 0o700); err != nil {
		return err
	}
	if err := s.loadCheckpoint(); err != nil {
		return err
	}
	s.counter.visits.Store(s.openVisits())
	if s.cuts, err = openCuts(s.cfg.Dir, s.j.Nonce); err != nil {
		return err
	}
	if n := s.cuts.bad; n > 0 {
		s.log.Warn("file of cuts has damaged records, they are inferred from their neighbours", "records", n)
	}
	if s.quarantine, err = openQuarantine(s.cfg.Dir); err == nil {
		s.reader, err = s.j.Reader(s.pos)
	}
	if err != nil {
		_ = s.cuts.close() // Everything in it was synced.
	}
	return err
}

// Run ships until ctx ends. It then goes on for at most DrainFor with what is in the journal, writes a checkpoint and returns nil. What it did not
// get done is shipped after the next start. After Close, or a second time, it does nothing and returns ErrStopped.
func (s *Shipper) Run(ctx context.Context) error {
	select {
	case <-s.stopped:
		return ErrStopped
	default:
	}
	defer func() { _ = s.Close() }() // Everything in the file of cuts was synced.
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() {
		drained := time.NewTimer(s.cfg.DrainFor)
		defer drained.Stop()
		select {
		case <-work.Done():
		case <-drained.C:
			cancel()
		}
	})()

	s.flushTimer = time.NewTimer(time.Hour)
	s.flushTimer.Stop()
	s.checkTimer = time.NewTimer(s.cfg.CheckpointEvery)
	defer s.flushTimer.Stop()
	defer s.checkTimer.Stop()
	s.checkedAt = s.cfg.Now()

	for s.step(ctx, work) {
		continue
	}
	if s.batch.frames == 0 {
		s.checkpoint()
	}
	return nil
}

// Close lets go of what New opened, where Run was not called: the file of cuts and the reader of the journal. Run must not be running. It does nothing
// after Run, and when it is called again. It ships nothing and leaves the journal open. An error means that the file of cuts did not close as it should;
// what it holds was durable before.
func (s *Shipper) Close() (err error) {
	s.closing.Do(func() {
		s.reader.Close()
		if err = s.cuts.close(); err != nil {
			err = fmt.Errorf("cannot close file of cuts: %w", err)
		}
		close(s.stopped) // Those who still wait in Flush are answered.
	})
	return err
}

// step does the next thing there is to do, and waits for it if need be. It returns false when Run has to end.
func (s *Shipper) step(ctx, work context.Context) bool {
	s.collectWaiters()
	f, ok, err := s.reader.TryNext()
	switch {
	case errors.Is(err, io.EOF):
		if s.commit(work) {
			s.answer()
		}
		return false
	case err != nil:
		// The reader stays where it is: the file may be read again when the disk is back.
		return s.retry(work, "read the journal", func(context.Context) error {
			f, ok, err = s.reader.TryNext()
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}) && (!ok || s.take(work, f))
	case ok:
		return s.take(work, f)
	}

	// Everything there is was read. A recorded cut has no more frames than these.
	if s.batch.fixed || s.flushDue || len(s.answering) > 0 || ctx.Err() != nil {
		if !s.commit(work) {
			return false
		}
		s.answer()
	}
	if s.batch.frames == 0 {
		s.setPos(s.reader.Position())
		if s.checkDue {
			s.checkpoint()
		}
	}
	if ctx.Err() != nil {
		return false
	}
	s.wait(ctx)
	return true
}

func (s *Shipper) wait(ctx context.Context) {
	if s.asked.Load() {
		return
	}
	select {
	case <-ctx.Done():
	case <-s.reader.Ready():
	case <-s.poke:
	case <-s.flushTimer.C:
		s.flushDue = true
	case <-s.checkTimer.C:
		s.checkDue = true
	}
}

// openVisits returns how many visits are remembered.
func (s *Shipper) openVisits() int64 { return int64(s.visits.Len()) + s.imports.open }

// setPos notes that everything before pos is stored. It never goes back.
func (s *Shipper) setPos(pos journal.Position) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if pos.Compare(s.pos) > 0 {
		s.pos = pos
	}
}
