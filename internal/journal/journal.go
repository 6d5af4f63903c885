// Package journal keeps frames of bytes on disk, in order, until whoever reads them says that they are no longer needed.
//
// It stands between ingest, which appends one frame for every event before the event is answered, and ship, which reads the frames in order
// and releases them when they are stored. It is the queue and the durability of the line at once: segment files of one size in one
// directory, each a header and then frames (the layout is in header.go and frame.go).
//
// Invariants. Append takes no lock and makes no system call: it claims space in a mapped file with one atomic addition and publishes its frame with one
// compare-and-swap (live.go), so a reader may have to wait for a place that was claimed (follow.go). A frame whose Append returned nil is found again after kill -9 of the process; after a loss of power too, but for those of the last
// Config.Interval, or for none with Always. This holds for the journal alone, and as long as a frame is in it: a frame that was shipped is not
// read again, so from then on it is as durable as the database makes it, which is a matter of the database's own fsync. Frames of one goroutine are read in the order in which they were appended. No damage in a
// segment costs a frame that it does not touch: reading goes on at the next boundary where a frame verifies, and counts what it skipped. A
// frame verifies only in the segment and at the offset it was written to, so old content and bytes planted inside a payload are never taken for
// one. A full disk or quota is an error of Append. Segment ids are never used twice, and files are 0600 in a 0700 directory.
//
// It does not know what a frame means, how far its reader has come (ship's checkpoint does), or what time it is, but for noting when a segment was made.
package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Why a frame was not kept, or a journal not opened.
var (
	ErrFull     = errors.New("journal is full")                        // the quota is used up, or the disk is full
	ErrTooLarge = errors.New("frame is too large")                     // longer than MaxFrame or than a segment, or empty
	ErrClosed   = errors.New("journal is closed")                      // Close was called
	ErrLocked   = errors.New("journal is in use by another process")   // one process per directory
	ErrVersion  = errors.New("segment was written by another version") // its file is kept as it is
)

// Sync says when frames are forced to the disk. Without it they are in the kernel's memory, which survives the process but not the machine.
type Sync uint8

// When frames are forced to the disk.
const (
	Interval Sync = iota // every Config.Interval, in the background
	Always               // before Append returns; appends at the same time share one sync
)

// Config says where a journal lives and how large it may become. Zero values stand for the defaults.
type Config struct {
	Dir          string        // made if missing, with mode 0700; required
	SegmentBytes int64         // size of one segment file, from 4 KiB to 1 GiB; 32 MiB by default
	QuotaBytes   int64         // size of all segment files together, at least two segments; 4 GiB by default
	Sync         Sync          // Interval by default
	Interval     time.Duration // how often the background syncs; 100 ms by default
	SegmentAge   time.Duration // a segment with frames is sealed after one to two of these, so that it can be released; 1 h by default
	MinFree      int64         // free bytes of the file system that no segment is made into; 64 MiB by default, or an eighth of a small file system
	HoleWait     time.Duration // how long a reader waits for an append that has begun and hangs; 5 s by default

	Now func() time.Time // for the creation times of segments; without it they are those of their files
}

// defaultMinFree is a fiftieth of the smallest disk that one would put a database on.
const defaultMinFree = 64 << 20

func (c *Config) setDefaults() {
	if c.SegmentBytes == 0 {
		c.SegmentBytes = 32 << 20
	}
	if c.QuotaBytes == 0 {
		c.QuotaBytes = 4 << 30
	}
	if c.Interval == 0 {
		c.Interval = 100 * time.Millisecond
	}
	if c.SegmentAge == 0 {
		c.SegmentAge = time.Hour
	}
	if c.HoleWait == 0 {
		c.HoleWait = 5 * time.Second
	}
}

func (c *Config) validate() error {
	switch {
	case c.Dir == "":
		return errors.New("dir: is required")
	case c.SegmentBytes < 4<<10 || c.SegmentBytes > 1<<30:
		return fmt.Errorf("segment_bytes: must be from 4096 to 1073741824, not %d", c.SegmentBytes)
	case c.QuotaBytes < 2*c.SegmentBytes:
		return fmt.Errorf("quota_bytes: must be at least two segments (%d), not %d", 2*c.SegmentBytes, c.QuotaBytes)
	case c.Sync > Always:
		return fmt.Errorf("sync: must be interval or always, not %d", c.Sync)
	case c.Interval < time.Millisecond:
		return fmt.Errorf("interval: must be at least 1ms, not %s", c.Interval)
	case c.SegmentAge < c.Interval:
		return fmt.Errorf("segment_age: must be at least the interval (%s), not %s", c.Interval, c.SegmentAge)
	}
	if c.MinFree < 0 {
		return fmt.Errorf("min_free: must not be negative, not %d", c.MinFree)
	}
	if c.HoleWait < 0 {
		return fmt.Errorf("hole_wait: must not be negative, not %s", c.HoleWait)
	}
	return nil
}

// Position is a place between two frames. Positions order by Segment, then Offset. The zero Position is before everything.
type Position struct {
	Segment uint64 // id of a segment; the first is 1
	Offset  int64  // bytes from the start of its file
}

// Compare returns -1, 0 or +1 where p is before, at or behind q.
func (p Position) Compare(q Position) int {
	switch {
	case p.Segment < q.Segment, p.Segment == q.Segment && p.Offset < q.Offset:
		return -1
	case p == q:
		return 0
	}
	return 1
}

// Journal is one open directory of segments. Its methods are safe for concurrent use.
type Journal struct {
	// Every Append reads these; they change when a segment ends, or a reader goes to sleep.
	active   atomic.Pointer[segment] // what is appended to; nil before the first Append, behind a full segment without a next one, and after Close
	asleep   atomic.Bool             // a reader waits for frames
	maxFrame int                     // bytes of the longest payload
	cfg      Config
	claimed  func(seg *segment, start int64) // is called between claim and publication; only tests set it

	_ [64]byte // Nothing that changes often is in the cache lines above.

	log     *slog.Logger
	disk    disk
	lock    *os.File
	counter counters
	blocked atomic.Pointer[error] // why the next segment could not be made; cleared by one that was, and by Release
	scarce  atomic.Bool           // the disk had no room for one more segment when it was looked at last
	ended   atomic.Bool           // Close was called, and all that is in the segments is all there will be
	wanted  chan struct{}         // tells the maker to make the next segment
	stop    context.CancelFunc
	running sync.WaitGroup // the background and the maker

	finishing sync.Mutex // is held while segments are finished

	making   sync.Mutex // is held while a segment is made; guards what follows
	refusing bool       // blocked was logged and no segment was made since

	releasing sync.Mutex // is held while segments are released

	mu       sync.Mutex // guards what follows, and is never held while the disk works
	closed   bool       // no segment is taken any more
	segments []*segment // by id; all but the last are sealed
	next     *segment   // is made and not yet among segments
	sealed   []*segment // this process wrote to them, and has not finished them
	lastID   uint64     // of the last one that was among segments
	gone     uint64     // frames that this process appended to segments that were released
	goneSize uint64     // the bytes they took

	readersMu sync.Mutex // guards readers
	readers   []*Reader
}

// Open opens the journal in cfg.Dir and makes the directory where it is missing. It returns ErrLocked while another process has it, and ErrVersion
// where a segment has a format it does not know. log may be nil.
func Open(cfg Config, log *slog.Logger) (*Journal, error) {
	return open(cfg, log, realDisk{})
}

func open(cfg Config, log *slog.Logger, d disk) (*Journal, error) {
	cfg.setDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("cannot open journal: %w", err)
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	lock, err := lockDir(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("cannot open journal: %w", err)
	}
	j := &Journal{cfg: cfg, log: log, disk: d, lock: lock, wanted: make(chan struct{}, 1)}
	j.maxFrame = int(min(MaxFrame, cfg.SegmentBytes&^(align-1)-headerBytes-frameHeader))
	if err := j.load(); err != nil {
		_ = lock.Close()
		return nil, fmt.Errorf("cannot open journal: %w", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	j.stop = stop
	j.running.Go(func() { j.background(ctx) })
	j.running.Go(func() { j.maker(ctx) })
	j.pokeMaker()
	return j, nil
}

// load finds the segments that earlier processes left.
func (j *Journal) load() error {
	ids, err := listSegments(j.cfg.Dir)
	if err != nil {
		return err
	}
	for _, id := range ids {
		seg, err := openSegment(j.cfg.Dir, id)
		if err != nil {
			return err
		}
		if seg.bad != nil {
			j.counter.badSegments.Add(1)
			j.log.Error("journal segment has no readable header, its frames are lost", "segment", id, "bytes", seg.size.Load(), "error", seg.bad)
		}
		j.segments = append(j.segments, seg)
		j.lastID = id
	}
	return nil
}

// Release deletes the segments that lie wholly before upTo. The caller has made upTo durable before: what is released is gone. The newest segment stays,
// so that the next process does not use its id again.
func (j *Journal) Release(upTo Position) error {
	j.releasing.Lock()
	defer j.releasing.Unlock()
	j.mu.Lock()
	closed := j.closed
	var old []*segment
	for i := 0; i < len(j.segments)-1 && j.segments[i].id < upTo.Segment; i++ {
		old = append(old, j.segments[i])
	}
	j.mu.Unlock()
	if closed {
		return ErrClosed
	}
	n, err := 0, error(nil)
	for n < len(old) && err == nil {
		if err = os.Remove(old[n].path); errors.Is(err, os.ErrNotExist) {
			err = nil
		}
		if err == nil {
			n++
		}
	}
	if n > 0 {
		j.forget(n)
		err = errors.Join(err, j.disk.syncDir(j.cfg.Dir))
	}
	if err != nil {
		return fmt.Errorf("cannot release segment: %w", err)
	}
	return nil
}

// forget takes the n oldest segments, whose files are gone, from the list, and lets a full journal try again.
func (j *Journal) forget(n int) {
	j.mu.Lock()
	for _, seg := range j.segments[:n] {
		frames, size := seg.counts()
		j.gone += frames
		j.goneSize += size
	}
	j.segments = slices.Delete(j.segments, 0, n)
	j.mu.Unlock()
	j.making.Lock() // Whoever counted them just now would block it again.
	j.blocked.Store(nil)
	j.making.Unlock()
	j.pokeMaker()
}

// Close makes all frames durable and gives the directory free. Appends that have begun are waited for, Config.HoleWait at most. Readers read on to the end
// and then see io.EOF.
func (j *Journal) Close() error {
	j.mu.Lock()
	if j.closed {
		j.mu.Unlock()
		return ErrClosed
	}
	j.closed = true
	next := j.next
	j.next = nil
	j.mu.Unlock()
	if active := j.active.Load(); active != nil {
		active.seal()
		_, _ = j.take(active) // It is closed.
	}
	j.ended.Store(true)
	j.wake()
	j.stop()
	j.running.Wait()
	if next != nil {
		j.discard(next)
	}
	j.waitForAppends()
	err := j.finishSealed()
	if cerr := j.lock.Close(); err == nil && cerr != nil { // Closing gives the lock free.
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("cannot close journal: %w", err)
	}
	return nil
}

func (j *Journal) waitForAppends() {
	const pause = time.Millisecond
	for slept := time.Duration(0); slept < j.cfg.HoleWait; slept += pause {
		j.mu.Lock()
		busy := slices.ContainsFunc(j.sealed, func(seg *segment) bool { return !seg.drained() })
		j.mu.Unlock()
		if !busy {
			return
		}
		time.Sleep(pause)
	}
	j.log.Error("an append to the journal hangs, it is closed nevertheless")
}
