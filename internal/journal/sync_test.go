package journal

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// waitForNext waits until the next segment is ready, so that none is made meanwhile.
func waitForNext(tb testing.TB, j *Journal) {
	tb.Helper()
	for range 5000 {
		j.mu.Lock()
		ready := j.next != nil || j.closed
		j.mu.Unlock()
		if ready {
			return
		}
		time.Sleep(time.Millisecond)
	}
	tb.Fatal("no next segment is made")
}

// Sync syncs what is not durable and nothing else: the active segment, a sealed one, and that of a process that was killed.
func TestSync_explicit(t *testing.T) {
	d, synced := &faulty{}, []string{}
	d.set(func(op string) error {
		if strings.HasSuffix(op, "sync") {
			synced = append(synced, op)
		}
		return nil
	})
	cfg := small(t.TempDir())
	cfg.Interval, cfg.SegmentAge = time.Hour, time.Hour
	j, err := open(cfg, nil, d)
	if err != nil {
		t.Fatal(err)
	}
	f := func(upTo Position, want int) {
		t.Helper()
		waitForNext(t, j)
		synced = synced[:0]
		for range 2 {
			if err := j.Sync(upTo); err != nil {
				t.Error(err)
			}
		}
		if len(synced) != want {
			t.Errorf("%d syncs up to %v, want %d", len(synced), upTo, want)
		}
	}
	f(Position{}, 0)
	f(Position{Segment: 9, Offset: 2000}, 0)
	mustAppend(t, j, "one")
	first := j.Head()
	f(first, 1)
	mustAppend(t, j, "two")
	f(first, 0)
	f(j.Head(), 1)
	mustAppend(t, j, "three")
	sealed := j.Head()
	active := j.active.Load()
	active.seal()
	if err := j.turn(active); err != nil {
		t.Fatal(err)
	}
	f(sealed, 1)
	mustClose(t, j)
	f(sealed, 0)

	killed, err := os.ReadFile(segmentPath(cfg.Dir, 1))
	if err != nil {
		t.Fatal(err)
	}
	cfg.Dir = t.TempDir()
	if err := os.WriteFile(segmentPath(cfg.Dir, 1), killed, 0o600); err != nil {
		t.Fatal(err)
	}
	if j, err = open(cfg, nil, d); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = j.Close() }()
	f(j.Head(), 1)
	if err := os.Remove(filepath.Join(cfg.Dir, filepath.Base(segmentPath(cfg.Dir, 1)))); err != nil {
		t.Fatal(err)
	}

	mustAppend(t, j, "four")
	waitForNext(t, j)
	d.set(func(op string) error {
		if op == "msync" {
			return syscall.EIO
		}
		return nil
	})
	head := j.Head() // The failure ends the segment.
	for range 2 {
		if err := j.Sync(head); !errors.Is(err, syscall.EIO) {
			t.Errorf("a sync that fails: %v", err)
		}
		d.set(nil)
	}
	if n := j.Stats().SyncErrors; n != 1 {
		t.Errorf("%d sync errors, want 1", n)
	}
}
