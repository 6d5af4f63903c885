package journal

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// finishedJournal has frames in segment 1, which is finished, and an empty segment 2.
func finishedJournal(t *testing.T, d disk, frames ...string) *Journal {
	t.Helper()
	cfg := small(t.TempDir())
	cfg.SegmentBytes = 64 << 10
	j, err := open(cfg, nil, d)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	mustAppend(t, j, frames...)
	seg := j.active.Load()
	seg.seal()
	if err := j.turn(seg); err != nil {
		t.Fatal(err)
	}
	for range 5000 {
		if seg.finished.Load() {
			return j
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatal("the segment is not finished")
	return nil
}

func TestErase(t *testing.T) {
	frames := numbered(0, 50)
	d := &faulty{}
	j := finishedJournal(t, d, frames...)
	mustAppend(t, j, "live")
	live := j.Head().Segment
	r, err := j.Reader(Position{}) // It has a window of the segment before.
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if f, ok, err := r.TryNext(); !ok || err != nil || string(f.Payload) != frames[0] {
		t.Fatal(ok, err)
	}
	odd := func(p []byte) bool { return bytes.Contains(p, []byte("1 ")) }
	f := func(segment uint64, want int, wantErr error) {
		t.Helper()
		if n, err := j.Erase(segment, odd); n != want || !errors.Is(err, wantErr) {
			t.Errorf("segment %d: %d erased, %v; want %d, %v", segment, n, err, want, wantErr)
		}
	}
	waitForNext(t, j)
	var syncs atomic.Int64
	d.set(func(op string) error {
		if op == "sync" {
			syncs.Add(1)
		}
		return nil
	})
	f(1, 5, nil)
	if syncs.Load() == 0 {
		t.Error("it is not made durable")
	}
	f(1, 0, nil)
	f(9, 0, nil)
	f(live, 0, ErrLive)
	want := make([]string, len(frames))
	for i, p := range frames {
		if want[i] = p; odd([]byte(p)) {
			want[i] = strings.Repeat("\x00", len(p))
		}
	}
	if diff := cmp.Diff(slices.Concat(want, []string{"live"}), readAll(t, j, Position{})); diff != "" {
		t.Error(diff)
	}
	file, err := os.ReadFile(segmentPath(j.cfg.Dir, 1))
	if err != nil || bytes.Contains(file, []byte("frame 31 ")) || !bytes.Contains(file, []byte("frame 32 ")) {
		t.Errorf("the file has what was erased, or not what was not: %v", err)
	}
	if n := j.Stats().Skipped; n != 0 {
		t.Errorf("%d bytes skipped", n)
	}

	// A failed sync is final: what is on the disk is not known any more.
	d.set(func(op string) error {
		if op == "sync" {
			return syscall.EIO
		}
		return nil
	})
	all := func([]byte) bool { return true }
	for range 2 {
		if _, err := j.Erase(1, all); !errors.Is(err, syscall.EIO) {
			t.Errorf("Erase whose sync failed: %v", err)
		}
		d.set(nil)
	}
}

// A reader that goes through a segment while its frames are erased reads each as it was or as zeros, and nothing else.
func TestErase_whileItIsRead(t *testing.T) {
	frames := numbered(0, 150)
	j := finishedJournal(t, realDisk{}, frames...)
	done := make(chan error)
	go func() {
		for i := range frames {
			if _, err := j.Erase(1, func(p []byte) bool { return string(p) == frames[i] }); err != nil {
				done <- err
				return
			}
		}
		close(done)
	}()
	for over := false; !over; {
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			over = true
		default:
		}
		got := readAll(t, j, Position{})
		if len(got) != len(frames) {
			t.Fatalf("%d frames, want %d", len(got), len(frames))
		}
		for i, p := range got {
			if p != frames[i] && p != strings.Repeat("\x00", len(p)) {
				t.Fatalf("frame %d is %q", i, p)
			}
		}
	}
}

// changing reads as one file the first time and as another one later.
type changing struct {
	first, later []byte
	reads        int
}

func (c *changing) ReadAt(b []byte, offset int64) (int, error) {
	c.reads++
	file := c.later
	if c.reads == 1 {
		file = c.first
	}
	return copy(b, file[offset:]), nil
}

// A frame that reaches over the end of what was read at once is erased before the rest of it is read.
func TestErase_betweenHeadAndPayload(t *testing.T) {
	seg := &segment{id: 1, seed: seedOf(7)}
	before := make([]byte, headerBytes)
	after := make([]byte, headerBytes)
	for i := range 8 {
		frame := bytes.Repeat([]byte{byte('a' + i)}, 200<<10)
		before = appendFrame(before, seg.seed, int64(len(before)), frame)
		after = appendFrame(after, seg.seed, int64(len(after)), make([]byte, len(frame)))
	}
	sc := newScanner(&changing{first: before, later: after}, seg)
	for i := range 8 {
		if _, ok, err := sc.next(int64(len(before))); !ok || err != nil {
			t.Fatalf("frame %d: %t, %v", i, ok, err)
		}
	}
}
