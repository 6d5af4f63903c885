package journal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// small is a journal of 4 KiB segments: each has room for 3072 bytes of frames.
func small(dir string) Config {
	return Config{Dir: dir, SegmentBytes: 4096, QuotaBytes: 64 << 20, Interval: 5 * time.Millisecond}
}

func mustOpen(tb testing.TB, cfg Config) *Journal {
	tb.Helper()
	j, err := Open(cfg, nil)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = j.Close() })
	return j
}

func mustAppend(tb testing.TB, j *Journal, frames ...string) {
	tb.Helper()
	for _, f := range frames {
		if err := j.Append([]byte(f)); err != nil {
			tb.Fatal(err)
		}
	}
}

func mustClose(tb testing.TB, j *Journal) {
	tb.Helper()
	if err := j.Close(); err != nil {
		tb.Fatal(err)
	}
}

// readAll returns the payloads that can be read from there now.
func readAll(tb testing.TB, j *Journal, from Position) []string {
	tb.Helper()
	r, err := j.Reader(from)
	if err != nil {
		tb.Fatal(err)
	}
	defer r.Close()
	return readOn(tb, r)
}

func readOn(tb testing.TB, r *Reader) []string {
	tb.Helper()
	var all []string
	var last Position
	for {
		f, ok, err := r.TryNext()
		if err != nil {
			tb.Fatal(err)
		}
		if !ok {
			return all
		}
		if f.Start.Compare(last) < 0 || f.End.Compare(f.Start) <= 0 || r.Position() != f.End {
			tb.Fatalf("frame from %v to %v behind %v, reader at %v", f.Start, f.End, last, r.Position())
		}
		last = f.End
		all = append(all, string(f.Payload))
	}
}

// next returns the next frame, and waits for it as ship does.
func next(tb testing.TB, r *Reader) (Frame, error) {
	tb.Helper()
	for {
		f, ok, err := r.TryNext()
		if ok || err != nil {
			return f, err
		}
		select {
		case <-tb.Context().Done():
			return Frame{}, context.Cause(tb.Context())
		case <-r.Ready():
		}
	}
}

func numbered(from, n int) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprintf("frame %d %s", from+i, strings.Repeat("x", (from+i)*7%300)))
	}
	return all
}

func TestJournal_readsWhatWasAppended(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "journal")
	j := mustOpen(t, small(dir))
	want := numbered(0, 100)
	mustAppend(t, j, want...)
	if diff := cmp.Diff(want, readAll(t, j, Position{})); diff != "" {
		t.Error(diff)
	}
	if n := j.Stats().Segments; n < 5 {
		t.Errorf("%d segments, want at least 5", n)
	}
	if f, d := mode(t, segmentPath(dir, 1)), mode(t, dir); f != 0o600 || d != 0o700 {
		t.Errorf("modes %o in %o, want 600 in 700", f, d)
	}
	mustClose(t, j)

	j = mustOpen(t, small(dir))
	if diff := cmp.Diff(want, readAll(t, j, Position{})); diff != "" {
		t.Errorf("after opening again: %s", diff)
	}
	more := numbered(100, 20)
	mustAppend(t, j, more...)
	if diff := cmp.Diff(append(want, more...), readAll(t, j, Position{})); diff != "" {
		t.Errorf("after appending more: %s", diff)
	}
	if n := j.Stats().Skipped; n != 0 {
		t.Errorf("%d bytes were skipped, want 0", n)
	}
}

func mode(t *testing.T, path string) fs.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode().Perm()
}

func TestReader_startsWhereItIsTold(t *testing.T) {
	j := mustOpen(t, small(t.TempDir()))
	want := numbered(0, 60)
	mustAppend(t, j, want...)
	r, err := j.Reader(Position{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for i := range want {
		f, err := next(t, r)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want[i:], readAll(t, j, f.Start)); diff != "" {
			t.Fatalf("from the start of frame %d: %s", i, diff)
		}
		if got := readAll(t, j, f.End); !cmp.Equal(want[i+1:], got) && len(got)+len(want[i+1:]) > 0 {
			t.Fatalf("from the end of frame %d: %d frames", i, len(got))
		}
	}
	if got := readAll(t, j, Position{Segment: 99}); len(got) != 0 {
		t.Errorf("%d frames behind the end, want 0", len(got))
	}
	if r.Position() != j.Head() || j.Behind(r.Position()) != 0 {
		t.Errorf("reader at %v, head at %v, %d bytes behind", r.Position(), j.Head(), j.Behind(r.Position()))
	}
}

func TestJournal_appendAndReadAtOnce(t *testing.T) {
	for _, sync := range []Sync{Interval, Always} {
		cfg := small(t.TempDir())
		cfg.SegmentBytes, cfg.Sync = 32<<10, sync
		appendAndRead(t, mustOpen(t, cfg))
	}
}

// appendAndRead appends from several goroutines while a reader follows, and closes the journal.
func appendAndRead(t *testing.T, j *Journal) {
	t.Helper()
	const writers, each = 4, 500
	r, err := j.Reader(Position{})
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			for i := range each {
				if err := j.Append(fmt.Appendf(nil, "%d %d", w, i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	closed := make(chan error)
	go func() {
		group.Wait()
		closed <- j.Close()
	}()
	wanted := [writers]int{}
	for {
		f, err := next(t, r)
		if errors.Is(err, io.EOF) {
			break
		}
		var w, i int
		if _, serr := fmt.Sscanf(string(f.Payload), "%d %d", &w, &i); err != nil || serr != nil {
			t.Fatal(err, serr)
		}
		if i != wanted[w] {
			t.Fatalf("writer %d: frame %d, want %d", w, i, wanted[w])
		}
		wanted[w]++
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if wanted != [writers]int{each, each, each, each} {
		t.Errorf("read %v frames, want %d of each writer", wanted, each)
	}
}

func TestReader_saysWhenThereIsMore(t *testing.T) {
	j := mustOpen(t, small(t.TempDir()))
	r, err := j.Reader(Position{})
	if err != nil {
		t.Fatal(err)
	}
	if _, ok, err := r.TryNext(); ok || err != nil {
		t.Errorf("TryNext of an empty journal: %t, %v", ok, err)
	}
	for i := range 20 {
		go func() {
			time.Sleep(time.Duration(i%3) * time.Millisecond)
			_ = j.Append([]byte("late"))
		}()
		if f, err := next(t, r); err != nil || string(f.Payload) != "late" {
			t.Fatalf("TryNext: %q, %v", f.Payload, err)
		}
	}
	go func() { _ = j.Close() }()
	if _, err := next(t, r); !errors.Is(err, io.EOF) {
		t.Errorf("TryNext after Close: %v, want EOF", err)
	}
	if err := j.Append([]byte("x")); !errors.Is(err, ErrClosed) {
		t.Errorf("Append after Close: %v", err)
	}
	if _, err := j.Reader(Position{}); !errors.Is(err, ErrClosed) {
		t.Errorf("Reader after Close: %v", err)
	}
	if err := errors.Join(j.Release(Position{}), j.Close()); !errors.Is(err, ErrClosed) {
		t.Errorf("Release and Close after Close: %v", err)
	}
}

// An append at the very moment in which a reader goes to sleep is either read by it or wakes it.
func TestReader_losesNoWakeUp(t *testing.T) {
	cfg := small(t.TempDir())
	cfg.SegmentBytes = 4 << 20
	j := mustOpen(t, cfg)
	r, err := j.Reader(Position{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	const rounds = 20_000
	var begun, done atomic.Int64
	go func() {
		for i := int64(1); i <= rounds; i++ {
			for begun.Load() < i {
				runtime.Gosched()
			}
			_ = j.Append([]byte("x"))
			done.Store(i)
		}
	}()
	for i := int64(1); i <= rounds; i++ {
		begun.Store(i)
		for range i % 600 {
			_ = j.asleep.Load() // Meet the append at another moment each time.
		}
		_, ok, err := r.TryNext()
		for done.Load() < i {
			runtime.Gosched()
		}
		if err != nil {
			t.Fatal(err)
		}
		if ok {
			continue
		}
		select {
		case <-r.Ready():
		default:
			t.Fatalf("round %d: the reader sleeps, and a frame is there", i)
		}
		if _, ok, err := r.TryNext(); !ok || err != nil {
			t.Fatalf("round %d: woken for nothing: %t, %v", i, ok, err)
		}
	}
}

func TestRelease_deletesWholeSegmentsBefore(t *testing.T) {
	cfg := small(t.TempDir())
	j := mustOpen(t, cfg)
	mustAppend(t, j, numbered(0, 100)...)
	last := j.Head().Segment
	if err := j.Release(Position{Segment: 3, Offset: 4096}); err != nil {
		t.Fatal(err)
	}
	if s := j.Stats(); s.Oldest != 3 || s.Segments != int(last)-2 {
		t.Errorf("oldest %d of %d segments, want 3 of %d", s.Oldest, s.Segments, last-2)
	}
	if got := readAll(t, j, Position{}); len(got) == 0 || got[len(got)-1] != numbered(99, 1)[0] {
		t.Errorf("%d frames are left, and they do not end with the last", len(got))
	}
	// The newest segment stays, so that its id is not used again.
	if err := j.Release(Position{Segment: last + 10}); err != nil {
		t.Fatal(err)
	}
	mustClose(t, j)
	j = mustOpen(t, cfg)
	mustAppend(t, j, "next")
	if got := j.Head().Segment; got != last+1 {
		t.Errorf("segment %d after opening again, want %d", got, last+1)
	}
}

func TestAppend_quota(t *testing.T) {
	cfg := small(t.TempDir())
	cfg.QuotaBytes = 5 * 4096
	j := mustOpen(t, cfg)
	kept := 0
	for ; kept < 1000; kept++ {
		if err := j.Append(make([]byte, 1000)); err != nil {
			if !errors.Is(err, ErrFull) {
				t.Fatal(err)
			}
			break
		}
	}
	if kept != 5*3 {
		t.Errorf("%d frames fit, want 15", kept)
	}
	if s := j.Stats(); s.Bytes > cfg.QuotaBytes || s.Refused == 0 {
		t.Errorf("%d bytes of %d, %d refused", s.Bytes, cfg.QuotaBytes, s.Refused)
	}
	if got := readAll(t, j, Position{}); len(got) != kept {
		t.Errorf("%d frames are read, want %d", len(got), kept)
	}
	if err := j.Release(Position{Segment: 2}); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		mustAppend(t, j, strings.Repeat("y", 1000))
	}
	if err := j.Append(make([]byte, 1000)); !errors.Is(err, ErrFull) {
		t.Errorf("Append into a journal that is full again: %v", err)
	}
	// A full journal opens, and is read.
	mustClose(t, j)
	j = mustOpen(t, cfg)
	if got := readAll(t, j, Position{}); len(got) != kept {
		t.Errorf("%d frames are read, want %d", len(got), kept)
	}
}

func TestAppend_sizes(t *testing.T) {
	f := func(segment int64, n int, want error) {
		t.Helper()
		cfg := small(t.TempDir())
		cfg.SegmentBytes = segment
		j := mustOpen(t, cfg)
		if err := j.Append(make([]byte, n)); !errors.Is(err, want) {
			t.Errorf("%d bytes into segments of %d: %v, want %v", n, segment, err, want)
		}
		if got := readAll(t, j, Position{}); want == nil && (len(got) != 1 || len(got[0]) != n) {
			t.Errorf("%d bytes into segments of %d: not read", n, segment)
		}
	}
	f(4096, 0, ErrTooLarge)
	for n := 1; n < 40; n++ {
		f(4096, n, nil)
	}
	f(4096, 4096-headerBytes-frameHeader, nil)
	f(4096, 4096-headerBytes-frameHeader+1, ErrTooLarge)
	f(1<<20, MaxFrame, nil)
	f(1<<20, MaxFrame+1, ErrTooLarge)
}

func TestOpen_refuses(t *testing.T) {
	f := func(change func(*Config), want string) {
		t.Helper()
		cfg := small(t.TempDir())
		change(&cfg)
		if _, err := Open(cfg, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
	f(func(c *Config) { c.Dir = "" }, "dir: ")
	f(func(c *Config) { c.SegmentBytes = 100 }, "segment_bytes: ")
	f(func(c *Config) { c.QuotaBytes = 4096 }, "quota_bytes: ")
	f(func(c *Config) { c.Sync = 9 }, "sync: ")
	f(func(c *Config) { c.Interval = 1 }, "interval: ")
	f(func(c *Config) { c.SegmentAge = time.Millisecond }, "segment_age: ")

	dir := t.TempDir()
	mustOpen(t, small(dir))
	if _, err := Open(small(dir), nil); !errors.Is(err, ErrLocked) {
		t.Errorf("second Open: %v, want ErrLocked", err)
	}
}

func TestJournal_sealsOldSegments(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		cfg := Config{Dir: dir, Interval: time.Minute, SegmentAge: time.Hour}
		j := mustOpen(t, cfg)
		r, err := j.Reader(Position{})
		if err != nil {
			t.Fatal(err)
		}
		mustAppend(t, j, "only one")
		time.Sleep(3 * time.Hour)
		if _, err := next(t, r); err != nil {
			t.Fatal(err)
		}
		if _, ok, err := r.TryNext(); ok || err != nil {
			t.Fatal(ok, err)
		}
		if want := (Position{Segment: 2, Offset: headerBytes}); r.Position() != want || j.Head() != want {
			t.Errorf("reader at %v, head at %v, want %v", r.Position(), j.Head(), want)
		}
		if err := j.Release(r.Position()); err != nil {
			t.Fatal(err)
		}
		if s := j.Stats(); s.Segments != 1 || s.Oldest != 2 {
			t.Errorf("%d segments from %d are left, want one from 2", s.Segments, s.Oldest)
		}
		r.Close()
		mustClose(t, j)
	})
	if info, err := os.Stat(segmentPath(dir, 2)); err != nil || info.Size() != headerBytes {
		t.Errorf("an unused segment keeps its space: %v, %v", info, err)
	}
}

func TestAppend_allocations(t *testing.T) {
	cfg := small(t.TempDir())
	cfg.SegmentBytes = 1 << 20
	j := mustOpen(t, cfg)
	frame := make([]byte, 400)
	mustAppend(t, j, string(frame))
	if n := testing.AllocsPerRun(100, func() { _ = j.Append(frame) }); n != 0 {
		t.Errorf("Append allocates %v times, want 0", n)
	}
}

// faulty is a disk whose calls fail when the hook says so.
type faulty struct {
	realDisk
	mu   sync.Mutex
	fail func(op string) error
}

func (d *faulty) hook(op string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fail == nil {
		return nil
	}
	return d.fail(op)
}

func (d *faulty) set(fail func(op string) error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fail = fail
}

func (d *faulty) allocate(f *os.File, size int64) error {
	return errors.Join(d.hook("allocate"), d.realDisk.allocate(f, size))
}

func (d *faulty) writeAt(f *os.File, b []byte, offset int64) (int, error) {
	if err := d.hook("write"); err != nil {
		n, _ := d.realDisk.writeAt(f, b[:len(b)/2], offset) // A torn write.
		return n, err
	}
	return d.realDisk.writeAt(f, b, offset)
}

func (d *faulty) sync(f *os.File) error {
	return errors.Join(d.hook("sync"), d.realDisk.sync(f))
}

func (d *faulty) syncRange(f *os.File, mem []byte, from, to int64) error {
	return errors.Join(d.hook("msync"), d.realDisk.syncRange(f, mem, from, to))
}

func (d *faulty) mapFile(f *os.File, size int64) ([]byte, error) {
	if err := d.hook("map"); err != nil {
		return nil, err
	}
	return d.realDisk.mapFile(f, size)
}

func (d *faulty) space(dir string) (free, total int64, err error) {
	free, total, err = d.realDisk.space(dir)
	return free, total, errors.Join(d.hook("space"), err)
}

func (d *faulty) syncDir(dir string) error {
	return errors.Join(d.hook("syncdir"), d.realDisk.syncDir(dir))
}

// TestFaults fails the n-th call of each kind, for every n that comes up, and checks that what was acknowledged is read once and the journal goes on.
func TestFaults(t *testing.T) {
	t.Parallel()
	for _, op := range []string{"allocate", "write", "sync", "msync", "syncdir", "map", "space"} {
		for _, when := range []Sync{Interval, Always} {
			t.Run(fmt.Sprintf("%s %d", op, when), func(t *testing.T) {
				t.Parallel()
				n := 1
				for oneFault(t, op, when, n) {
					n++
				}
				if n < 4 {
					t.Errorf("only %d calls: this tests nothing", n)
				}
			})
		}
	}
}

// oneFault lets the n-th call fail. It returns false where there were not so many.
func oneFault(t *testing.T, op string, when Sync, n int) bool {
	t.Helper()
	cfg := small(t.TempDir())
	cfg.Sync, cfg.Interval = when, time.Millisecond
	d := &faulty{}
	j, err := open(cfg, nil, d)
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	fault := []error{syscall.EIO, syscall.ENOSPC}[n%2]
	d.set(func(got string) error {
		if got == op {
			if count++; count == n {
				return fault
			}
		}
		return nil
	})
	acknowledged := map[string]bool{}
	for i := range 30 {
		frame := fmt.Sprintf("%d %s", i, strings.Repeat("x", 400))
		if err := j.Append([]byte(frame)); err == nil {
			acknowledged[frame] = true
		}
		if i%4 == 0 {
			time.Sleep(2 * time.Millisecond)
		}
	}
	last := errors.New("nothing was tried")
	for i := range 10_000 { // Where it was full, the background lets it try again.
		frame := fmt.Sprintf("last %d", i)
		if last = j.Append([]byte(frame)); last == nil {
			acknowledged[frame] = true
			break
		}
		time.Sleep(time.Millisecond)
	}
	if s := j.Stats(); last != nil || s.WriteErrors != 0 || s.SyncErrors > 1 {
		t.Errorf("%s %d %d: %d write errors, %d sync errors, then: %v", op, when, n, s.WriteErrors, s.SyncErrors, last)
	}
	_ = j.Close()
	checkAcknowledged(t, cfg, acknowledged)
	return count >= n
}

// checkAcknowledged opens the journal again and looks for every acknowledged frame once.
func checkAcknowledged(t *testing.T, cfg Config, acknowledged map[string]bool) {
	t.Helper()
	j := mustOpen(t, cfg)
	seen := map[string]int{}
	for _, f := range readAll(t, j, Position{}) {
		seen[f]++
	}
	for f := range acknowledged {
		if seen[f] != 1 {
			t.Errorf("an acknowledged frame is read %d times: %.20s", seen[f], f)
		}
	}
	mustClose(t, j)
}

// The file is cut under the mapping, which is what a disk that fails there looks like.
func TestAppend_aFaultSealsTheSegment(t *testing.T) {
	cfg := small(t.TempDir())
	cfg.SegmentBytes = 64 << 10
	j := mustOpen(t, cfg)
	mustAppend(t, j, "one")
	waitForNext(t, j)
	if err := os.Truncate(segmentPath(cfg.Dir, 1), 4096); err != nil {
		t.Fatal(err)
	}
	frames := numbered(0, 40)
	mustAppend(t, j, frames...)
	if s := j.Stats(); j.Head().Segment != 2 || s.WriteErrors != 1 || s.Frames != 41 {
		t.Errorf("segment %d, %d write errors, %d frames, want 2, 1 and 41", j.Head().Segment, s.WriteErrors, s.Frames)
	}
	if diff := cmp.Diff(append([]string{"one"}, frames...), readAll(t, j, Position{})); diff != "" {
		t.Error(diff)
	}
	// A reader comes to such a place before a producer does.
	mustAppend(t, j, numbered(0, 30)...)
	if err := os.Truncate(segmentPath(cfg.Dir, 2), 4096); err != nil {
		t.Fatal(err)
	}
	r, err := j.Reader(Position{Segment: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	mustAppend(t, j, "last")
	var got string
	for range 5000 {
		if f, ok, err := r.TryNext(); ok {
			got = string(f.Payload)
		} else if err == nil && got == "last" {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if got != "last" || j.Head().Segment != 3 {
		t.Errorf("the reader comes to %q in segment %d", got, j.Head().Segment)
	}
}

func TestSync_anErrorSealsTheSegment(t *testing.T) {
	d := &faulty{}
	cfg := small(t.TempDir())
	cfg.Sync, cfg.Interval = Always, time.Hour
	cfg.SegmentAge = time.Hour
	j, err := open(cfg, nil, d)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = j.Close() }()
	mustAppend(t, j, "one")
	waitForNext(t, j)
	d.set(func(op string) error {
		if op == "msync" {
			return syscall.EIO
		}
		return nil
	})
	if err := j.Append([]byte("two")); !errors.Is(err, syscall.EIO) {
		t.Errorf("Append whose sync fails: %v, want EIO", err)
	}
	d.set(nil)
	if err := j.first(1).sync(d, headerBytes+32); !errors.Is(err, syscall.EIO) {
		t.Errorf("a second sync of the segment is believed: %v", err)
	}
	mustAppend(t, j, "three")
	if s := j.Stats(); j.Head().Segment != 2 || s.SyncErrors != 1 {
		t.Errorf("segment %d, %d sync errors, want 2 and 1", j.Head().Segment, s.SyncErrors)
	}
}

func TestOpen_diskFull(t *testing.T) {
	d := &faulty{}
	cfg := small(t.TempDir())
	j, err := open(cfg, nil, d)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = j.Close() }()
	waitForNext(t, j)
	j.mu.Lock()
	ready := j.next
	j.next = nil
	j.mu.Unlock()
	j.discard(ready)
	d.set(func(op string) error {
		if op == "allocate" {
			return syscall.ENOSPC
		}
		return nil
	})
	if err := j.Append([]byte("x")); !errors.Is(err, ErrFull) || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("Append on a full disk: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(cfg.Dir, "*.seg*")); len(left) != 0 {
		t.Errorf("files are left: %v", left)
	}
	d.set(nil)
	for range 1000 { // The background lets it try again.
		if err = j.Append([]byte("x")); err == nil {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if err != nil {
		t.Errorf("Append after there is room again: %v", err)
	}
}

func TestAllocate_withoutFallocate(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	const size = 2<<20 + 5
	if err := writeZeros(f, size); err != nil {
		t.Fatal(err)
	}
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	if blocks := info.Sys().(*syscall.Stat_t).Blocks * 512; info.Size() != size || blocks < size {
		t.Errorf("%d bytes in %d bytes of blocks, want %d in at least as many", info.Size(), blocks, size)
	}
}
