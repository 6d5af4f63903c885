package journal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// files returns the names of the segment files.
func files(t *testing.T, dir string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "*"+suffix))
	if err != nil {
		t.Fatal(err)
	}
	for i := range found {
		found[i] = filepath.Base(found[i])
	}
	return found
}

// What was appended before a roll lies before it and can be released, what comes after stays; rolling an empty segment changes nothing.
func TestRoll(t *testing.T) {
	cfg := small(t.TempDir())
	j := mustOpen(t, cfg)
	first, err := j.Roll()
	if err != nil || first != (Position{Segment: 1}) {
		t.Fatalf("%+v, %v", first, err)
	}
	mustAppend(t, j, "before")
	second, err := j.Roll()
	if err != nil || second != (Position{Segment: 2}) {
		t.Fatalf("%+v, %v", second, err)
	}
	if again, err := j.Roll(); err != nil || again != second {
		t.Errorf("an empty segment was ended: %+v, %v", again, err)
	}
	mustAppend(t, j, "after")
	if got := readAll(t, j, Position{}); !cmp.Equal(got, []string{"before", "after"}) {
		t.Errorf("it has %q", got)
	}
	if err := errors.Join(j.Release(second), j.Finish()); err != nil {
		t.Fatal(err)
	}
	if got := readAll(t, j, Position{}); !cmp.Equal(got, []string{"after"}) {
		t.Errorf("after the release it has %q", got)
	}
	if _, err := os.Stat(segmentPath(cfg.Dir, 1)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the first file is there: %v", err)
	}
	mustClose(t, j)

	// The newest segment of an earlier process goes too.
	j = mustOpen(t, cfg)
	third, err := j.Roll()
	if err != nil || third.Segment <= 2 {
		t.Fatalf("%+v, %v", third, err)
	}
	if err := j.Release(third); err != nil {
		t.Fatal(err)
	}
	if got := readAll(t, j, Position{}); len(got) > 0 {
		t.Errorf("it has %q", got)
	}
	mustClose(t, j)
	if _, err := j.Roll(); !errors.Is(err, ErrClosed) {
		t.Errorf("a closed journal says %v", err)
	}
}

// Where there is no room for another segment nothing is ended.
func TestRoll_full(t *testing.T) {
	cfg := small(t.TempDir())
	cfg.QuotaBytes = 2 * cfg.SegmentBytes
	j := mustOpen(t, cfg)
	mustAppend(t, j, "one")
	if _, err := j.Roll(); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, j, "two")
	if _, err := j.Roll(); !errors.Is(err, ErrFull) {
		t.Errorf("a full journal says %v", err)
	}
	mustAppend(t, j, "three")
	if got := readAll(t, j, Position{}); !cmp.Equal(got, []string{"one", "two", "three"}) {
		t.Errorf("it has %q", got)
	}
}

// Appends go on while segments are rolled: none is refused, none waits for a segment to be made, and none is lost.
func TestRoll_whileAppending(t *testing.T) {
	cfg := small(t.TempDir())
	cfg.SegmentBytes = 4 << 20
	j := mustOpen(t, cfg)
	mustAppend(t, j, "first")
	waitForNext(t, j)
	var group sync.WaitGroup
	var rolled atomic.Bool
	var appended atomic.Int64
	for p := range 4 {
		group.Go(func() {
			for i := 0; !rolled.Load(); i++ {
				if err := j.Append(fmt.Appendf(nil, "%d %d", p, i)); err != nil {
					t.Error(err)
					return
				}
				appended.Add(1)
				time.Sleep(10 * time.Microsecond)
			}
		})
	}
	var last Position
	for range 20 {
		next, err := j.Roll()
		if err != nil || next.Compare(last) < 0 {
			t.Fatalf("%+v after %+v, %v", next, last, err)
		}
		last = next
		time.Sleep(2 * time.Millisecond)
	}
	rolled.Store(true)
	group.Wait()
	if got, want := len(readAll(t, j, Position{})), int(appended.Load())+1; got != want {
		t.Errorf("%d frames of %d", got, want)
	}
	if n := j.Stats().Stalls; n > 1 { // The first Append may come before the first segment is there.
		t.Errorf("appends waited %d times for a segment to be made", n)
	}
	if last.Segment < 15 || len(files(t, cfg.Dir)) < 15 {
		t.Errorf("only %d segments were begun", last.Segment)
	}
}
