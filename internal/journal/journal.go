// Package journal keeps frames of bytes on disk, in order, until whoever reads them says that they are no longer needed.
//
// It stands between ingest, which appends one frame for every event before the event is answered, and ship, which reads the frames in order
// and releases them when they are stored. It is the queue and the durability of the line at once: segment files of one size in one
// directory, each a header and then frames (the layout is in segment.go and frame.go).
//
// Invariants. A frame whose Append returned nil is found again after kill -9 of the process; after a loss of power too, but for those of the last
// Config.Interval, or for none with Always. This holds for the journal alone, and as long as a frame is in it: a frame that was shipped is not
// read again, so from then on it is as durable as the database makes it, which is a matter of the database's own fsync. Frames of one goroutine are read in the order in which they were appended. No damage in a
// segment costs a frame that it does not touch: reading goes on at the next boundary where a frame verifies, and counts what it skipped. A
// frame verifies only in the segment and at the offset it was written to, so old content and bytes planted inside a payload are never taken for
// one. A full disk or quota is an error of Append. Segment ids are never used twice, and files are 0600 in a 0700 directory.
//
// It does not know what a frame means, how far its reader has come (ship's checkpoint does), or what time it is.
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
	SegmentBytes int64         // size of one segment file, from 4 KiB to 1 GiB; 64 MiB by default
	QuotaBytes   int64         // size of all segment files together, at least two segments; 4 GiB by default
	Sync         Sync          // Interval by default
	Interval     time.Duration // how often the background syncs; 100 ms by default
	SegmentAge   time.Duration // a segment with frames is sealed after one to two of these, so that it can be released; 1 h by default
}

func (c *Config) setDefaults() {
	if c.SegmentBytes == 0 {
		c.SegmentBytes = 64 << 20
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
	cfg  Config
	log  *slog.Logger
	disk disk
	lock *os.File

	mu       sync.Mutex // guards what follows
	closed   bool
	blocked  error      // why no segment can be made; cleared by Release and by the background
	refusing bool       // blocked was logged and no segment was made since
	segments []*segment // by id, without gaps only by chance
	active   *segment   // the last of segments, or nil until the next Append makes one
	sealed   []*segment // not yet synced and closed for writing
	nextID   uint64
	buf      []byte // the frame that is being written
	readers  []*Reader

	asleep  atomic.Bool // a reader waits for frames
	counter counters

	stop context.CancelFunc
	done chan struct{} // the background has ended
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
	j := &Journal{cfg: cfg, log: log, disk: d, lock: lock, nextID: 1, done: make(chan struct{})}
	if err := j.load(); err != nil {
		_ = lock.Close()
		return nil, fmt.Errorf("cannot open journal: %w", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	j.stop = stop
	go j.background(ctx)
	return j, nil
}

// load finds the segments that earlier processes left.
func (j *Journal) load() error {
	ids, err := listSegments(j.cfg.Dir)
	if err != nil {
		return err
	}
	for i, id := range ids {
		seg, err := openSegment(j.cfg.Dir, id)
		if err != nil {
			return err
		}
		if seg.bad != nil {
			j.counter.badSegments.Add(1)
			j.log.Error("journal segment has no readable header, its frames are lost", "segment", id, "bytes", seg.size.Load(), "error", seg.bad)
		} else if i == len(ids)-1 {
			if err := seg.trim(); err != nil {
				return err
			}
		}
		j.segments = append(j.segments, seg)
		j.nextID = id + 1
	}
	return nil
}

// Head returns the position behind the last frame.
func (j *Journal) Head() Position {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.segments) == 0 {
		return Position{Segment: j.nextID, Offset: headerBytes}
	}
	last := j.segments[len(j.segments)-1]
	return Position{Segment: last.id, Offset: last.end.Load()}
}

// Nonce returns the random number of a segment, by which it differs from a segment of the same id in another journal. ok is false where there is none.
func (j *Journal) Nonce(segment uint64) (nonce uint64, ok bool) {
	seg := j.first(segment)
	if seg == nil || seg.id != segment {
		return 0, false
	}
	return seg.nonce, true
}

// Behind returns how many bytes of segments lie behind p, frames and what is around them.
func (j *Journal) Behind(p Position) int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	var n int64
	for _, seg := range j.segments {
		switch end := seg.end.Load(); {
		case seg.id > p.Segment:
			n += end - headerBytes
		case seg.id == p.Segment:
			n += max(0, end-max(p.Offset, headerBytes))
		}
	}
	return n
}

// Release deletes the segments that lie wholly before upTo. The caller has made upTo durable before: what is released is gone. The newest segment stays.
func (j *Journal) Release(upTo Position) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return ErrClosed
	}
	n := 0
	for n < len(j.segments)-1 && j.segments[n].id < upTo.Segment {
		if err := os.Remove(j.segments[n].path); err != nil && !errors.Is(err, os.ErrNotExist) {
			j.segments = slices.Delete(j.segments, 0, n)
			return fmt.Errorf("cannot release segment: %w", err)
		}
		n++
	}
	if n == 0 {
		return nil
	}
	j.segments = slices.Delete(j.segments, 0, n)
	j.blocked = nil
	if err := j.disk.syncDir(j.cfg.Dir); err != nil {
		return fmt.Errorf("cannot release segment: %w", err)
	}
	return nil
}

// Close makes all frames durable and gives the directory free. Readers read on to the end and then see io.EOF.
func (j *Journal) Close() error {
	j.mu.Lock()
	if j.closed {
		j.mu.Unlock()
		return ErrClosed
	}
	j.closed = true
	j.seal()
	j.mu.Unlock()

	j.stop()
	<-j.done
	j.wake()
	err := j.finishSealed()
	if cerr := j.lock.Close(); err == nil && cerr != nil { // Closing gives the lock free.
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("cannot close journal: %w", err)
	}
	return nil
}
