package journal

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// paused is a journal whose n-th Append stops between claim and publication, until it is let go.
type paused struct {
	*Journal
	reached chan *segment // the Append is there
	goOn    chan struct{} // lets it go
}

func pausedAt(tb testing.TB, cfg Config, n int64) *paused {
	tb.Helper()
	p := &paused{Journal: mustOpen(tb, cfg), reached: make(chan *segment, 1), goOn: make(chan struct{})}
	var calls atomic.Int64
	p.claimed = func(seg *segment, _ int64) {
		if calls.Add(1) == n {
			p.reached <- seg
			<-p.goOn
		}
	}
	return p
}

// A reader waits for an append that hangs, then gives its place up, and reads its frame when it was appended anew.
func TestHole_isGivenUpAndItsFrameAppendedAnew(t *testing.T) {
	for _, size := range []int{1, 8, 100, 2000} { // The place is one boundary, or many.
		cfg := small(t.TempDir())
		cfg.SegmentBytes, cfg.HoleWait = 64<<10, 50*time.Millisecond
		p := pausedAt(t, cfg, 2)
		mustAppend(t, p.Journal, "before")
		hung := bytes.Repeat([]byte{'h'}, size)
		done := make(chan error)
		go func() { done <- p.Append(hung) }()
		<-p.reached
		mustAppend(t, p.Journal, "behind", "last")

		r, err := p.Reader(Position{})
		if err != nil {
			t.Fatal(err)
		}
		var skipped int64
		r.OnSkip(func(s Skipped) { skipped += s.To.Offset - s.From.Offset })
		var got []string
		for range 3 {
			f, ok, err := r.TryNext()
			if err != nil || !ok {
				t.Fatalf("size %d: frame %d: %t, %v", size, len(got), ok, err)
			}
			got = append(got, string(f.Payload))
		}
		if diff := cmp.Diff([]string{"before", "behind", "last"}, got); diff != "" {
			t.Errorf("size %d: %s", size, diff)
		}
		if skipped != frameBytes(size) {
			t.Errorf("size %d: %d bytes skipped, want %d", size, skipped, frameBytes(size))
		}
		close(p.goOn)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if f, ok, err := r.TryNext(); err != nil || !ok || !bytes.Equal(f.Payload, hung) {
			t.Errorf("size %d: the frame is not read after it was acknowledged: %t, %v", size, ok, err)
		}
		if _, ok, err := r.TryNext(); ok || err != nil {
			t.Errorf("size %d: it is read twice: %v", size, err)
		}
		want := []string{"before", "behind", "last", string(hung)}
		if diff := cmp.Diff(want, readAll(t, p.Journal, Position{})); diff != "" {
			t.Errorf("size %d: a second reader: %s", size, diff)
		}
		if s := p.Stats(); s.Abandoned != 1 || s.HolesWaited != 1 || s.Frames != 4 {
			t.Errorf("size %d: %d abandoned, %d holes, %d frames, want 1, 1 and 4", size, s.Abandoned, s.HolesWaited, s.Frames)
		}
		r.Close()
		mustClose(t, p.Journal)
		p.Journal = mustOpen(t, cfg)
		if diff := cmp.Diff(want, readAll(t, p.Journal, Position{})); diff != "" {
			t.Errorf("size %d: after opening again: %s", size, diff)
		}
	}
}

// Of publishing and giving up, whichever comes first holds.
func TestGiveUp_orPublished(t *testing.T) {
	j := mustOpen(t, small(t.TempDir()))
	mustAppend(t, j, "published")
	seg := j.active.Load()
	before := seg.load(headerBytes)
	if got := seg.giveUp(headerBytes); got != before || seg.load(headerBytes) != before || before == 0 {
		t.Errorf("giving up a published frame turned %x into %x and returned %x", before, seg.load(headerBytes), got)
	}
	at, _ := seg.claimed()
	if got := seg.giveUp(at); got != native(tombstone) {
		t.Errorf("giving up an unpublished place returned %x", got)
	}
	if ok, err := seg.put(at, []byte("late")); ok || err != nil || seg.load(at) != native(tombstone) {
		t.Errorf("publishing at a place that was given up: %t, %v, %x", ok, err, seg.load(at))
	}
}

// Two appends hang side by side: the reader that gives up the first gives up the second too.
func TestHole_nextToAHole(t *testing.T) {
	cfg := small(t.TempDir())
	cfg.HoleWait = 20 * time.Millisecond
	j := mustOpen(t, cfg)
	var calls atomic.Int64
	reached, goOn := make(chan bool), make(chan bool)
	j.claimed = func(*segment, int64) {
		if n := calls.Add(1); n == 2 || n == 3 {
			reached <- true
			<-goOn
		}
	}
	mustAppend(t, j, "before")
	done := make(chan error)
	for _, p := range []string{"hung for long", "hung as long as that one"} {
		go func() { done <- j.Append([]byte(p)) }()
		<-reached
	}
	mustAppend(t, j, "behind")
	if diff := cmp.Diff([]string{"before", "behind"}, readAll(t, j, Position{})); diff != "" {
		t.Error(diff)
	}
	close(goOn)
	if err := errors.Join(<-done, <-done); err != nil {
		t.Error(err)
	}
	got := readAll(t, j, Position{})
	slices.Sort(got)
	if diff := cmp.Diff([]string{"before", "behind", "hung as long as that one", "hung for long"}, got); diff != "" {
		t.Error(diff)
	}
	if s := j.Stats(); s.Abandoned != 2 || s.HolesWaited != 1 {
		t.Errorf("%d abandoned, %d holes, want 2 and 1", s.Abandoned, s.HolesWaited)
	}
}

// A reader at the heels of a producer never sees a frame before its payload is there.
func TestReader_neverSeesHalfAFrame(t *testing.T) {
	for _, d := range []disk{realDisk{}, memDisk{}} {
		cfg := Config{Dir: t.TempDir(), SegmentBytes: 4 << 20, QuotaBytes: 1 << 30, Interval: time.Hour, SegmentAge: time.Hour}
		j, err := open(cfg, nil, d)
		if err != nil {
			t.Fatal(err)
		}
		r, err := j.Reader(Position{})
		if err != nil {
			t.Fatal(err)
		}
		const frames = 60
		go func() {
			frame := make([]byte, 200<<10)
			for i := range frames {
				for k := range frame {
					frame[k] = byte(i + 1)
				}
				if err := j.Append(frame); err != nil {
					t.Error(err)
				}
			}
		}()
		for i := 0; i < frames; {
			f, ok, err := r.TryNext()
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				continue
			}
			if f.Payload[0] != byte(i+1) || f.Payload[len(f.Payload)-1] != byte(i+1) {
				t.Fatalf("frame %d begins with %d", i, f.Payload[0])
			}
			i++
		}
		if n := j.Stats().Skipped; n != 0 {
			t.Errorf("%d bytes skipped", n)
		}
		r.Close()
		mustClose(t, j)
	}
}

// An append that hangs for less is waited for, and nothing overtakes it.
func TestHole_isWaitedFor(t *testing.T) {
	cfg := small(t.TempDir())
	cfg.HoleWait = time.Hour
	p := pausedAt(t, cfg, 1)
	done := make(chan error)
	go func() { done <- p.Append([]byte("slow")) }()
	<-p.reached
	mustAppend(t, p.Journal, "fast")
	time.AfterFunc(20*time.Millisecond, func() { close(p.goOn) })
	if diff := cmp.Diff([]string{"slow", "fast"}, readAll(t, p.Journal, Position{})); diff != "" {
		t.Error(diff)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if s := p.Stats(); s.Abandoned != 0 || s.HolesWaited != 1 || s.Skipped != 0 {
		t.Errorf("%d abandoned, %d holes, %d bytes skipped, want 0, 1 and 0", s.Abandoned, s.HolesWaited, s.Skipped)
	}
}

// A segment whose producer hangs is neither cut nor unmapped, through rollover and even Close, and the frame goes to a later one.
func TestHole_keepsItsSegment(t *testing.T) {
	cfg := small(t.TempDir())
	cfg.HoleWait = 20 * time.Millisecond
	p := pausedAt(t, cfg, 1)
	done := make(chan error)
	go func() { done <- p.Append([]byte("hung")) }()
	seg := <-p.reached
	frames := numbered(0, 60)
	mustAppend(t, p.Journal, frames...)
	time.Sleep(10 * cfg.Interval)
	if seg.drained() || seg.finished.Load() || p.Head().Segment < 3 {
		t.Fatalf("drained %t, finished %t, head %v", seg.drained(), seg.finished.Load(), p.Head())
	}
	if diff := cmp.Diff(frames, readAll(t, p.Journal, Position{})); diff != "" {
		t.Error(diff)
	}
	close(p.goOn)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(append(frames, "hung"), readAll(t, p.Journal, Position{})); diff != "" {
		t.Error(diff)
	}
	for range 1000 {
		if seg.finished.Load() {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if !seg.finished.Load() {
		t.Error("the segment is never finished")
	}
}

func TestClose_withAnAppendThatHangs(t *testing.T) {
	cfg := small(t.TempDir())
	cfg.HoleWait = 20 * time.Millisecond
	p := pausedAt(t, cfg, 2)
	mustAppend(t, p.Journal, "one")
	done := make(chan error)
	go func() { done <- p.Append([]byte("hung")) }()
	<-p.reached
	mustClose(t, p.Journal)
	close(p.goOn)
	want := []string{"one"}
	if err := <-done; err == nil {
		want = append(want, "hung") // Nobody gave it up: it is in the file, which is still mapped.
	}
	p.Journal = mustOpen(t, cfg)
	if diff := cmp.Diff(want, readAll(t, p.Journal, Position{})); diff != "" {
		t.Error(diff)
	}
}

// Many appends hang for a moment, so that readers give places up while their producers publish: each frame is acknowledged and read once.
func TestHole_raceOfGivingUpAndPublishing(t *testing.T) {
	abandoned, rounds := uint64(0), 0
	for ; rounds < 3 || abandoned == 0 && rounds < 100; rounds++ { // It depends on who runs when.
		abandoned += giveUpWhilePublishing(t)
	}
	t.Logf("%d appends were done anew in %d rounds", abandoned, rounds)
	if abandoned == 0 {
		t.Error("no place was given up: this tests nothing")
	}
}

// giveUpWhilePublishing has a reader give up places at once that writers are about to fill, and returns how many.
func giveUpWhilePublishing(t *testing.T) (abandoned uint64) {
	t.Helper()
	cfg := small(t.TempDir())
	cfg.SegmentBytes, cfg.HoleWait = 16<<10, time.Nanosecond
	j := mustOpen(t, cfg)
	var calls atomic.Uint64
	j.claimed = func(*segment, int64) {
		if n := calls.Add(1); n%7 == 0 {
			time.Sleep(time.Duration(n%13) * 20 * time.Microsecond)
		}
	}
	const writers, each = 6, 300
	seen := map[string]int{}
	r, err := j.Reader(Position{})
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			for i := range each {
				if err := j.Append(fmt.Appendf(nil, "%d %d %s", w, i, make([]byte, (w*i)%200))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	go func() {
		group.Wait()
		_ = j.Close()
	}()
	var last [writers]int
	for {
		f, err := next(t, r)
		if err != nil {
			break
		}
		var w, i int
		if _, err := fmt.Sscan(string(f.Payload), &w, &i); err != nil {
			t.Fatal(err)
		}
		if seen[fmt.Sprint(w, i)]++; i < last[w] {
			t.Errorf("writer %d: frame %d behind %d", w, i, last[w])
		}
		last[w] = i
	}
	for w := range writers {
		for i := range each {
			if n := seen[fmt.Sprint(w, i)]; n != 1 {
				t.Errorf("frame %d of writer %d is read %d times", i, w, n)
			}
		}
	}
	return j.Stats().Abandoned
}

// A reader that begins inside a frame of a live segment leaves its payload alone.
func TestReader_insideAFrameThatIsLive(t *testing.T) {
	cfg := small(t.TempDir())
	cfg.HoleWait = time.Millisecond
	j := mustOpen(t, cfg)
	frames := []string{"first", string(make([]byte, 500)), "last"}
	mustAppend(t, j, frames...)
	for at := int64(headerBytes - 8); at < headerBytes+600; at += 4 {
		got := readAll(t, j, Position{Segment: 1, Offset: at})
		want := 0
		for want < len(frames) && at > headerBytes+[]int64{0, 16, 16 + 512}[want] {
			want++
		}
		if !slices.Equal(frames[want:], got) {
			t.Fatalf("from %d: %d frames, want %d", at, len(got), len(frames)-want)
		}
	}
	if s := j.Stats(); s.Skipped != 0 || s.HolesWaited != 0 {
		t.Errorf("%d bytes skipped, %d holes", s.Skipped, s.HolesWaited)
	}
}

// A place that is published after a sync began is not durable by it.
func TestSync_ofAPlaceThatWasAHole(t *testing.T) {
	d := &ranges{}
	cfg := small(t.TempDir())
	cfg.Interval, cfg.SegmentAge = time.Hour, time.Hour
	j, err := open(cfg, nil, d)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = j.Close() }()
	reached, goOn, done := make(chan bool), make(chan bool), make(chan error)
	j.claimed = func(_ *segment, start int64) {
		if start == headerBytes {
			close(reached)
			<-goOn
		}
	}
	go func() { done <- j.Append([]byte("slow")) }()
	<-reached
	mustAppend(t, j, "fast")
	j.tick()
	close(goOn)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	d.got = nil
	for range 2 {
		if err := j.Sync(j.Head()); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([][2]int64{{1024, 1056}}, d.got); diff != "" {
		t.Error(diff)
	}
}

// slowSync is a disk whose syncs begin and end when the test says so.
type slowSync struct {
	realDisk
	begun, end chan bool
}

func (d *slowSync) syncRange(f *os.File, mem []byte, from, to int64) error {
	d.begun <- true
	<-d.end
	return d.realDisk.syncRange(f, mem, from, to)
}

// With Always, a sync that began before a frame was published does not count for it, and those who wait for the next one share it.
func TestSync_isShared(t *testing.T) {
	d := &slowSync{begun: make(chan bool), end: make(chan bool)}
	cfg := small(t.TempDir())
	cfg.Sync, cfg.Interval, cfg.SegmentAge = Always, time.Hour, time.Hour
	j, err := open(cfg, nil, d)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 10)
	add := func() { done <- j.Append([]byte("x")) }
	go add()
	<-d.begun
	for range 5 {
		go add()
	}
	for j.Stats().Frames < 6 {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(5 * time.Millisecond)
	d.end <- true
	<-d.begun // The second one, for the five.
	if err := <-done; err != nil || len(done) > 0 {
		t.Errorf("%d more were told before their sync, %v", len(done), err)
	}
	d.end <- true
	for range 5 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	mustClose(t, j) // There is nothing left to sync.
}
