package journal

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// smallDisk is a disk with so many free bytes of so many.
type smallDisk struct {
	realDisk
	free, total atomic.Int64
}

func (d *smallDisk) space(string) (free, total int64, err error) {
	return d.free.Load(), d.total.Load(), nil
}

func TestAppend_keepsSpaceOfTheDiskFree(t *testing.T) {
	f := func(minFree, free, total int64, want error) {
		t.Helper()
		d := &smallDisk{}
		d.free.Store(free)
		d.total.Store(total)
		cfg := small(t.TempDir())
		cfg.MinFree = minFree
		j, err := open(cfg, nil, d)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = j.Close() }()
		if err := j.Append([]byte("x")); !errors.Is(err, want) {
			t.Errorf("Append with %d of %d bytes free, %d to keep: %v, want %v", free, total, minFree, err, want)
		}
		if got := j.Pressed(); got != (want != nil) {
			t.Errorf("Pressed with %d bytes free, %d to keep: %t", free, minFree, got)
		}
		if want == nil {
			return
		}
		if n := j.Stats().Refused; n != 1 {
			t.Errorf("%d refused, want 1", n)
		}
		d.free.Store(1 << 40)
		for range 5000 { // The background finds out.
			if err = j.Append([]byte("x")); err == nil {
				break
			}
			time.Sleep(time.Millisecond)
		}
		if err != nil || j.Pressed() {
			t.Errorf("Append after space was made: %v, pressed %t", err, j.Pressed())
		}
	}
	const mib = 1 << 20
	f(0, 64*mib+4095, 1<<40, ErrFull)
	f(0, 65*mib, 1<<40, nil)
	f(0, 2*mib+4095, 16*mib, ErrFull) // An eighth of a small one.
	f(0, 2*mib+5*4096, 16*mib, nil)
	f(1000*mib, 999*mib, 1<<40, ErrFull)
	f(1, 4096, 1<<40, ErrFull)
}

func TestPressed_byTheQuota(t *testing.T) {
	cfg := small(t.TempDir())
	cfg.QuotaBytes = 4 * 4096
	j := mustOpen(t, cfg)
	mustAppend(t, j, "x")
	waitForNext(t, j)
	if j.Pressed() {
		t.Error("pressed with two of four segments")
	}
	mustAppend(t, j, strings.Repeat("x", 3000), strings.Repeat("x", 3000), strings.Repeat("x", 3000))
	waitForNext(t, j)
	if !j.Pressed() {
		t.Error("not pressed with four of four segments")
	}
	if err := j.Release(Position{Segment: 3}); err != nil {
		t.Fatal(err)
	}
	if j.Pressed() {
		t.Error("pressed after two of four segments were released")
	}
}

// All are refused at once while it is full, each is counted, and the disk is asked by the background only.
func TestAppend_refusedIsCheap(t *testing.T) {
	d := &faulty{}
	cfg := small(t.TempDir())
	cfg.QuotaBytes, cfg.Interval, cfg.SegmentAge = 2*4096, time.Hour, time.Hour
	j, err := open(cfg, nil, d)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = j.Close() }()
	for j.Append(make([]byte, 1000)) == nil {
		continue
	}
	var calls atomic.Int64
	d.set(func(string) error {
		calls.Add(1)
		return nil
	})
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range 1000 {
				if err := j.Append([]byte("x")); !errors.Is(err, ErrFull) {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if s := j.Stats(); s.Refused != 4001 || calls.Load() != 0 {
		t.Errorf("%d refused, %d calls of the disk, want 4001 and 0", s.Refused, calls.Load())
	}
	frame := []byte("x")
	if n := testing.AllocsPerRun(100, func() { _ = j.Append(frame) }); n != 0 {
		t.Errorf("a refused Append allocates %v times", n)
	}
}

// An id that a frame, or a reader, ever had is not used again, whatever is released and however the process ends.
func TestOpen_idsAreNeverUsedTwice(t *testing.T) {
	m := &modelTest{t: t, cfg: small(t.TempDir())}
	m.j = mustOpen(t, m.cfg)
	last, nonces := uint64(0), map[uint64]bool{}
	for round := range 12 {
		for range 2 {
			mustAppend(t, m.j, strings.Repeat("x", 3000))
			head := m.j.Head()
			nonce, ok := m.j.Nonce(head.Segment)
			if head.Segment <= last || !ok || nonces[nonce] {
				t.Fatalf("round %d: segment %d behind %d", round, head.Segment, last)
			}
			last, nonces[nonce] = head.Segment, true
		}
		if err := m.j.Release(Position{Segment: last + 9}); err != nil {
			t.Fatal(err)
		}
		switch round % 3 {
		case 0:
			m.kill()
		case 1:
			waitForNext(t, m.j) // It is ready, and nobody used it.
			m.kill()
		default:
			m.reopen()
		}
		if err := m.j.Release(Position{Segment: last + 9}); err != nil {
			t.Fatal(err)
		}
	}
	mustClose(t, m.j)
	files, err := filepath.Glob(filepath.Join(m.cfg.Dir, "*"))
	if err != nil || len(files) > 3 {
		t.Errorf("files are left: %v, %v", files, err)
	}
	for _, path := range files {
		if info, err := os.Stat(path); err != nil || info.Size() > 4096 {
			t.Errorf("%s: %v, %v", path, info.Size(), err)
		}
	}
}
