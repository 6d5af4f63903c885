// Package ship carries events from the journal to the store: it reads them in order, joins them to visits, and writes them in batches, each exactly
// once.
//
// It stands between journal and store. Its only inputs are the journal's frames, so what it writes is a function of them; the clock decides
// how large a batch is, how often a checkpoint is written and what is too old to be kept, never what is in a row. It is the only place of the write line that
// tries again. One goroutine owns everything; another one only calls the sink, so that a batch is collected while the one before it is inserted.
//
// Invariants. A batch is frozen before its first attempt: its cut, the piece of the journal it holds, is on disk by then, and so is what its
// deduplication token is made of. A cut lies within one segment and its token is made from that segment's id and random number, the offsets and the
// frames' checksums, so it never names other rows. Its frames are durable in the journal before it is recorded. A recorded cut is never cut again: after a crash the same frames go
// out under the same tokens, and a sink that drops what it knows by token has every row once. The checkpoint (a position of the journal, and the visits and imports open there) is written with nothing under
// way, is replaced whole, and only behind it segments are released. A frame that cannot be decoded, and a piece of the journal that is none, goes to the quarantine
// file and the line goes on.
//
// A batch that the sink refuses for its content is divided, again and again, under tokens made from the cut's and the part's bounds. Each decision is on disk before
// it is acted upon, and is followed for ever, also when the cause has ended. A single row that is refused goes to the quarantine and is not sent again.
//
// What a database acknowledged may be durable only a while later, and what it knows of tokens is not durable together with the rows. So older checkpoints are kept as bases, with the
// segments and cuts behind them, for Config.Keep; and when the database or the machine was restarted, the line goes back to its base and goes through everything that was recorded
// until then, in the visits of then. Tokens prove nothing there: the sink is asked for the rows of every part of a cut, month by month; what it has is left out, and what it has not goes
// out under a token made of the old one and the restart. The checkpoint says how far that reaches, so that it goes on after a crash. Behind it tokens hold again. Nothing that may have been
// sent before, by an attempt that failed or by another process, is sent again under its token before it is known that the database was not restarted meanwhile. A process that is
// killed is no restart. What is kept only for all this gives way as soon as the journal needs the room, and is bounded by a quarter of its quota and by the number of
// blocks that a database remembers.
//
// Frames, lines of the quarantine and visits do not outlive Config.MaxAge, or the event's own retention, stored or not: frames are erased in their place, so that a cut
// keeps its bounds and its token. A batch that is in memory when its frames are erased is still sent.
//
// An import has visits of its own and the highest number that came of its events: one with that number or a smaller one was sent again, and is no row. Live
// events and imports do not touch each other's visits. The frame that ends an import forgets both. An imported event is durable in the journal before it is stored,
// so that a loss of power does not leave its row alone behind, and it is known when its chunk is sent again.
//
// An erasure is the one other thing that changes visits. It comes between two batches, when everything before it is stored and the database is known not to have been restarted, and makes a
// checkpoint the only one there is: no segment, base or cut from before is left, so nothing is sent again that was read without it. What was acknowledged by then is as durable as the
// database made it.
//
// What losing a file costs: without the checkpoint the line goes on at the newest base, and nothing is lost, stored twice or other than it was. Without the checkpoint and
// all bases the oldest segment is replayed by its recorded cuts, what is found is left out, the rest goes out under its old tokens, and nothing is stored twice, but visits that
// were open where that segment begins start anew in what is not stored yet, and an import's events that are sent again after it are stored again. A damaged record of a cut
// is inferred from its neighbours. A damaged record of a split costs the rows of that part being stored twice, if the cause ended meanwhile and they are sent again. Without
// the whole file of cuts, the batches since the last checkpoint may be stored twice, and those since the base when the line goes back to it; without all of these files, those of the segments that are left.
//
// It does not make tables, choose columns or know SQL, it computes no totals, and of a failed insert it asks only whether the rows were refused for their content: everything else it
// tries for ever. Rows that cannot be looked for, because nothing names them (they have no visitor), have their old token alone, also after a restart.
package ship

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
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
// stores them once: rows under a token that it has stored are dropped. It does not keep rows after it returned, and it returns when ctx ends. An error with
// fault.KindOf(err) == fault.Invalid means that the rows were refused for their content, and none of them is stored; what its fault says, but not its cause, goes to the quarantine.
// Any other error means that nothing is known, and the call is made again. A Sink may be a Restarts and a Stored too.
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
	Keep            time.Duration    // how long what was stored is kept, to be sent again after the database was restarted; 10 min by default, negative for not at all
	MaxAge          time.Duration    // how long a frame, or one in the quarantine, is kept at most, stored or not; whole days, at least 1; 7 days by default
	BootID          string           // of the machine: where it is another one than before, the machine was rebooted; "" for unknown
	Local           bool             // the database is in this process, and ends with it: after a kill it may know a token whose rows it has lost
	Now             func() time.Time // for the lag, the pace of checkpoints and the age of what is kept; required
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
	if c.Keep == 0 {
		c.Keep = 10 * time.Minute
	}
	if c.MaxAge == 0 {
		c.MaxAge = 7 * 24 * time.Hour
	}
}

func (c *Config) validate() error {
	switch {
	case c.Dir == "":
		return errors.New("dir: is required")
	case c.BatchRows < 1 || c.BatchRows > 1_000_000: // One insert has to be one block, and ClickHouse splits at 1,048,449 rows.
		return fmt.Errorf("batch_rows: must be from 1 to 1000000, not %d", c.BatchRows)
	case c.MaxAge < 24*time.Hour:
		return fmt.Errorf("max_age: must be at least 24h, not %s", c.MaxAge)
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
	imports    imports
	cuts       *cutFile
	quarantine *quarantine
	room       event.Room
	frame      event.Frame      // what is being read
	batch      *batch           // what is being collected
	flight     *flight          // what is being inserted, or nil
	spare      *batch           // for the one after these, or nil
	edge       journal.Position // behind the last batch that was closed; the visits are those of there, and of the batch that is collected
	patience   time.Duration    // of the next attempt to insert; of the flight's goroutine while there is one
	flushTimer *time.Timer
	flushDue   bool // the batch has waited long enough
	lookTimer  *time.Timer
	looks      int // at the journal since there was a frame
	hour       *time.Ticker
	eraseDue   map[uint64]int64 // when something in a segment becomes too old next, in unix seconds
	answering  []*waiter        // taken from waiters
	failpoint  func(name string)

	checkTimer    *time.Timer
	checkDue      bool
	checked       journal.Position // of the last checkpoint
	written       int64            // when that was, in unix nanoseconds; 0: there is none of which it is known
	checkedBlocks uint64           // blocks at that time
	checkedAt     time.Time
	checkpause    time.Duration // so long after it pressure is no reason for another one
	checkBroken   bool          // the last attempt failed, and was logged
	dirty         bool          // there is something to write although the position did not change

	bases     []base // the oldest one first
	linked    bool   // the last of them is the checkpoint
	lastBase  uint64 // the highest number of a base
	blocks    uint64 // inserted, by partition
	watch     watch
	epoch     int // restarts of which watch knows and for which the line went back
	boot      string
	again     again
	verified  time.Time // until then the database was not restarted
	askBroken bool      // the last time it did not answer, and that was logged
	suspect   bool      // the database was away: was it restarted?
	replay    bool      // it was
	dropped   bool      // a batch was closed, is not stored, and is to be read again
	ended     bool      // the journal is closed and was read to its end, or cannot be read again

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
		suspect: true, // It may have been restarted meanwhile.
		batch:   newBatch(), patience: firstPatience, looks: busyLooks, watch: watch{servers: map[string]int64{}}, boot: cfg.BootID, verified: time.Unix(0, 0),
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
	s.edge = s.pos
	s.counter.visits.Store(s.openVisits())
	if s.cuts, err = openCuts(s.cfg.Dir, s.j.Nonce); err != nil {
		return err
	}
	switch lost := s.written == 0 && len(s.bases) == 0; {
	case s.cfg.Local && !lost:
		s.sendAgain(rand.Text()) // It was never used: a token made of it is unknown.
	case s.again.id == "" && (s.boot == "" || lost): // Nobody can say whether the machine was rebooted.
		s.sendAgain(unknownRestart)
	}
	if n := s.cuts.bad; n > 0 {
		s.log.Warn("file of cuts has damaged records, they are inferred from their neighbours", "records", n)
	}
	if s.quarantine, err = openQuarantine(s.cfg.Dir, s.cfg.Now); err == nil {
		s.reader, err = s.j.Reader(s.pos)
	}
	if err != nil {
		_ = s.cuts.close() // Everything in it was synced.
		return err
	}
	s.reader.OnSkip(s.skipped)
	return nil
}

// loadCheckpoint finds out where to go on, and sets the position, the visits and the imports. Where the checkpoint cannot be used it is the newest base, and where
// there is none, the oldest segment without any visits.
func (s *Shipper) loadCheckpoint() error {
	c, cause := readCheckpoint(checkpointPath(s.cfg.Dir))
	if errors.Is(cause, errCheckpointVersion) {
		return fmt.Errorf("cannot read checkpoint: %w", cause)
	}
	if cause == nil {
		cause = s.fits(c)
	}
	var err error
	if cause == nil {
		s.bases, err = s.readBases(c)
	} else {
		s.bases, err = s.readBases(nil)
	}
	if err != nil {
		return fmt.Errorf("cannot read base: %w", err)
	}
	if cause == nil {
		cause = s.loadState(c)
	}
	switch {
	case cause == nil:
		s.pos, s.checked = c.pos, c.pos
		rebooted := s.takeOver(c)
		s.dirty = c.version < checkpointVersion || c.boot != s.boot
		s.replay = rebooted
	case errors.Is(cause, os.ErrNotExist) && s.j.Stats().Segments == 0: // The first start.
	case s.loadNewestBase():
		s.log.Warn("no usable checkpoint, shipping goes on at the newest base", "error", cause)
	case c != nil && errors.Is(cause, errGone) && c.pos.Segment < s.j.Stats().Oldest && s.loadState(c) == nil:
		s.pos = c.pos
		s.log.Warn("the segment of the checkpoint is gone, shipping begins at the oldest there is")
	default:
		s.log.Warn("no usable checkpoint, shipping begins at the oldest segment", "error", cause)
	}
	return nil
}

// loadNewestBase goes on at the newest base that can be read.
func (s *Shipper) loadNewestBase() bool {
	for ; len(s.bases) > 0; s.bases = s.bases[:len(s.bases)-1] {
		b := s.bases[len(s.bases)-1]
		c, err := readCheckpoint(basePath(s.cfg.Dir, b.number))
		if err != nil || s.loadState(c) != nil {
			continue
		}
		s.pos = b.pos
		s.replay = s.takeOver(c)
		s.written = 0 // There is no checkpoint.
		return true
	}
	return false
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
