package journal

import (
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// memDisk is a disk whose mappings are ordinary memory that gets to the file when it is synced and not before. So the race detector watches what
// producers and readers do there, and a copy of the files is what a loss of power leaves.
type memDisk struct{ realDisk }

func (memDisk) mapFile(f *os.File, size int64) ([]byte, error) {
	mem := make([]byte, size)
	_, err := f.ReadAt(mem, 0)
	return mem, err
}

func (memDisk) unmap(mem []byte) error {
	for i := range mem { // Whoever reads it later is wrong.
		mem[i] = 0xee
	}
	return nil
}

func (memDisk) syncRange(f *os.File, mem []byte, from, to int64) error {
	_, err := f.WriteAt(mem[from:to], from)
	return err
}

func TestMemDisk_appendAndReadAtOnce(t *testing.T) {
	cfg := small(t.TempDir())
	cfg.SegmentBytes, cfg.Interval, cfg.SegmentAge = 16<<10, time.Hour, time.Hour // Syncing reads what is being written.
	j, err := open(cfg, nil, memDisk{})
	if err != nil {
		t.Fatal(err)
	}
	appendAndRead(t, j)
	if n := len(readAllOf(t, cfg)); n != 2000 {
		t.Errorf("%d frames after Close, want 2000", n)
	}
}

// readAllOf opens a journal for its frames.
func readAllOf(t *testing.T, cfg Config) []string {
	t.Helper()
	j := mustOpen(t, cfg)
	defer mustClose(t, j)
	return readAll(t, j, Position{})
}

// The power fails at random moments: what was there when the last sync began is found, and with Always everything.
func TestMemDisk_powerCut(t *testing.T) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	for _, when := range []Sync{Interval, Always} {
		cfg := small(t.TempDir())
		cfg.Interval, cfg.SegmentAge, cfg.Sync = time.Hour, time.Hour, when
		j, err := open(cfg, nil, memDisk{})
		if err != nil {
			t.Fatal(err)
		}
		all := numbered(0, 400)
		synced := 0
		m := &modelTest{t: t, cfg: cfg}
		for i, frame := range all {
			mustAppend(t, j, frame)
			if when == Always || rng.IntN(10) == 0 {
				if when == Interval {
					j.tick()
				}
				synced = i + 1
			}
			if rng.IntN(20) > 0 {
				continue
			}
			after := cfg
			after.Dir = m.copyFiles()
			got := readAllOf(t, after)
			if len(got) < synced || !slices.Equal(all[:synced], got[:synced]) {
				t.Fatalf("seed %d: %d frames after a loss of power, %d were synced:\n%s", seed, len(got), synced, cmp.Diff(all[:synced], got))
			}
		}
		mustClose(t, j)
	}
}

// A sync of the background costs nothing where nothing was appended, and touches what is new only.
func TestSync_onlyWhatIsNew(t *testing.T) {
	d := &ranges{}
	cfg := small(t.TempDir())
	cfg.SegmentBytes, cfg.Interval, cfg.SegmentAge = 1<<20, time.Hour, time.Hour
	j, err := open(cfg, nil, d)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = j.Close() }()
	f := func(want ...[2]int64) {
		t.Helper()
		d.got = nil
		j.tick()
		j.tick()
		if diff := cmp.Diff(want, d.got); diff != "" {
			t.Error(diff)
		}
	}
	f()
	mustAppend(t, j, "0123456", "01234567")
	f([2]int64{1024, 1056})
	mustAppend(t, j, "0123456789")
	f([2]int64{1056, 1088})
	f()
}

type ranges struct {
	realDisk
	got [][2]int64
}

func (d *ranges) syncRange(f *os.File, mem []byte, from, to int64) error {
	d.got = append(d.got, [2]int64{from, to})
	return d.realDisk.syncRange(f, mem, from, to)
}
