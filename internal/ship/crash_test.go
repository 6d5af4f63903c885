package ship

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daysalt/daysalt/internal/event"
	"github.com/daysalt/daysalt/internal/journal"
)

// crashes ships random traffic through a Shipper that dies, as kill says, and returns what was appended.
func crashes(l *line, rng *rand.Rand, between func()) (events []event.Event) {
	l.t.Helper()
	at := int64(noon)
	kill(l, rng, func() {
		for range rng.IntN(8) {
			at += rng.Int64N(400)
			events = append(events, event.Event{
				SiteID: 1, Day: event.Day(at / 86_400), Time: at - rng.Int64N(5), Visitor: rng.Uint64N(8), Name: "pageview",
				Path: fmt.Sprintf("/%d", len(events)), Source: fmt.Sprintf("s%d", len(events)),
			})
			l.append(events[len(events)-1])
		}
	}, between)
	return events
}

// kill ships what feed appends through a Shipper that dies at random points (before an insert, after it, and around a checkpoint), with a sink that fails at
// random. between runs after each death. Dying is runtime.Goexit: nothing is written after it.
func kill(l *line, rng *rand.Rand, feed, between func()) {
	l.t.Helper()
	var left atomic.Int64
	die := func() {
		if left.Add(-1) == 0 {
			runtime.Goexit()
		}
	}
	luck := rand.New(rand.NewPCG(rng.Uint64(), 0)) // Of the goroutine in Run.
	fail := func() error {
		die()
		if luck.IntN(4) == 0 {
			return errors.New("the sink fails")
		}
		return nil
	}
	l.sink.before, l.sink.after = fail, fail
	l.cfg.Now = func() time.Time {
		die()
		return time.Now()
	}
	for range 12 {
		left.Store(1 + rng.Int64N(60))
		l.cfg.BatchRows, l.cfg.FlushEvery = 1+rng.IntN(20), time.Duration(1+rng.IntN(100))*time.Millisecond
		l.cfg.CheckpointEvery = time.Duration(1+rng.IntN(300)) * time.Millisecond
		l.start()
	alive:
		for range 20 {
			feed()
			select {
			case <-l.dead:
				break alive
			case <-time.After(time.Duration(rng.IntN(80)) * time.Millisecond):
			}
		}
		<-l.dead // It goes on until then, at the next look at the clock at the latest.
		between()
	}
	l.sink.before, l.sink.after, l.cfg.Now = nil, nil, time.Now
	l.start()
	l.flush()
	l.end()
}

// byPath returns the rows that were stored in the order of their events, and complains of those that are not there once.
func byPath(t *testing.T, events []event.Event, rows []event.Row) []event.Row {
	t.Helper()
	times := map[string]int{}
	index := map[string]event.Row{}
	for _, r := range rows {
		times[r.Path]++
		index[r.Path] = r
	}
	var sorted []event.Row
	for _, e := range events {
		if times[e.Path] != 1 {
			t.Errorf("event %s is stored %d times", e.Path, times[e.Path])
		}
		sorted = append(sorted, index[e.Path])
	}
	if len(rows) != len(events) {
		t.Errorf("%d rows of %d events", len(rows), len(events))
	}
	return sorted
}

func TestCrash_exactlyOnceAndTheSameVisits(t *testing.T) {
	for seed := range uint64(15) {
		bubble(t, func(t *testing.T, l *line) {
			t.Helper()
			rng := rand.New(rand.NewPCG(seed, 1))
			events := crashes(l, rng, func() {
				if rng.IntN(3) == 0 {
					l.closeJournal()
					l.openJournal()
				}
			})
			if diff := cmp.Diff(joined(events), byPath(l.t, events, l.sink.stored())); diff != "" {
				t.Errorf("seed %d: rows differ from those of an uninterrupted run:\n%s", seed, diff)
			}
			if t.Failed() {
				t.Fatalf("seed %d", seed)
			}
		})
	}
}

// Losing or rolling back the checkpoint costs visits their beginning, and no row.
func TestCrash_withoutTheCheckpoint(t *testing.T) {
	for seed := range uint64(10) {
		bubble(t, func(t *testing.T, l *line) {
			t.Helper()
			rng := rand.New(rand.NewPCG(seed, 2))
			path := ""
			var old []byte
			l.sink.strict = false
			events := crashes(l, rng, func() {
				path = checkpointPath(l.cfg.Dir)
				b, err := os.ReadFile(path)
				if err != nil {
					return
				}
				switch rng.IntN(4) {
				case 0:
					err = os.Remove(path)
				case 1:
					b = bytes.Clone(b)
					b[rng.IntN(len(b))] ^= 1
					err = os.WriteFile(path, b, 0o600)
				case 2:
					err = os.WriteFile(path, b[:rng.IntN(len(b))], 0o600)
				case 3:
					if old != nil {
						err = os.WriteFile(path, old, 0o600)
					}
				}
				if err != nil {
					t.Error(err)
				}
				old = b
			})
			byPath(l.t, events, l.sink.stored())
			if t.Failed() {
				t.Fatalf("seed %d", seed)
			}
		})
	}
}

// One damaged record of a cut is inferred from its neighbours.
func TestCrash_withDamagedCuts(t *testing.T) {
	for seed := range uint64(20) {
		bubble(t, func(t *testing.T, l *line) {
			t.Helper()
			l.cfg.BatchRows, l.cfg.CheckpointEvery = 3, time.Hour
			stored := 0
			l.sink.after = func() error {
				if stored++; stored == 15 {
					runtime.Goexit()
				}
				return nil
			}
			events := numbered(0, 100)
			l.append(events...)
			l.start()
			<-l.dead
			l.sink.after = nil

			path := cutPath(l.cfg.Dir)
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			rng := rand.New(rand.NewPCG(seed, 3))
			record := rng.IntN(len(b)/cutBytes - 1) // The last one has no neighbour.
			b[record*cutBytes+rng.IntN(cutBytes)] ^= 1 << rng.IntN(8)
			b = append(b, make([]byte, rng.IntN(cutBytes))...) // A torn record.
			l.cfg.BatchRows = 2
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
			l.start()
			l.end()
			byPath(l.t, events, l.sink.stored())
			if t.Failed() {
				t.Fatalf("seed %d, record %d", seed, record)
			}
		})
	}
}

// Without the cuts nothing is lost, but what was stored since the last checkpoint may be stored twice.
func TestCrash_withoutCutsLosesNothing(t *testing.T) {
	bubble(t, func(t *testing.T, l *line) {
		t.Helper()
		stored := 0
		l.cfg.BatchRows = 3
		l.sink.after = func() error {
			if stored++; stored == 15 {
				runtime.Goexit()
			}
			return nil
		}
		events := numbered(0, 100)
		l.append(events...)
		l.start()
		<-l.dead
		l.sink.after = nil
		if err := os.Remove(cutPath(l.cfg.Dir)); err != nil {
			t.Fatal(err)
		}
		l.cfg.BatchRows = 7
		l.start()
		l.end()
		have := map[string]bool{}
		for _, r := range l.sink.stored() {
			have[r.Path] = true
		}
		if len(have) != len(events) {
			t.Errorf("%d of %d events are stored", len(have), len(events))
		}
	})
}

// removeCheckpoints removes the checkpoint and all bases.
func (l *line) removeCheckpoints() {
	l.t.Helper()
	paths, err := filepath.Glob(checkpointPath(l.cfg.Dir) + "*")
	for _, path := range paths {
		if err == nil {
			err = os.Remove(path)
		}
	}
	if err != nil {
		l.t.Error(err)
	}
}

// A frame that rots after its batch was stored does not store the others again.
func TestCrash_withADamagedFrame(t *testing.T) {
	bubble(t, func(t *testing.T, l *line) {
		t.Helper()
		l.sink.strict = false
		l.sink.after = func() error { runtime.Goexit(); return nil }
		events := numbered(0, 10)
		l.append(events...)
		l.start()
		<-l.dead
		l.sink.after = nil
		l.closeJournal()
		path := filepath.Join(l.dir, "journal", "00000000000000000001.seg")
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 10 { // Another one each time; the first and the last are at the ends of the cut.
			damaged := bytes.Clone(b)
			damaged[bytes.Index(b, []byte("a.test/"+strconv.Itoa(i)))] ^= 1
			if err := os.WriteFile(path, damaged, 0o600); err != nil {
				t.Fatal(err)
			}
			l.removeCheckpoints()
			l.openJournal()
			l.start()
			time.Sleep(time.Minute)
			if st := l.s.Stats(); st.Rows != 9 || st.LagBytes != 0 {
				t.Errorf("a recorded cut with fewer frames than it had is not stored: %+v", st)
			}
			l.end()
			if skipped := l.j.Stats().Skipped; skipped == 0 {
				t.Error("the damage was not seen")
			}
			byPath(l.t, events, l.sink.stored())
			l.closeJournal()
		}
	})
}

// A checkpoint and cuts of a journal that is gone do not hide the frames of the new one.
func TestNew_withAnotherJournal(t *testing.T) {
	f := func(first, second int, empty bool) {
		t.Helper()
		bubble(t, func(t *testing.T, l *line) {
			t.Helper()
			old := numbered(0, first)
			l.append(old...)
			l.start()
			l.end()
			l.closeJournal()
			if err := os.RemoveAll(filepath.Join(l.dir, "journal")); err != nil {
				t.Fatal(err)
			}
			l.openJournal()
			fresh := numbered(1000, second)
			if empty {
				l.start()
				l.append(fresh...)
			} else {
				l.append(fresh...)
				l.start()
			}
			l.flush()
			l.end()
			byPath(l.t, slices.Concat(old, fresh), l.sink.stored())
		})
	}
	for _, empty := range []bool{true, false} {
		f(10, 10, empty)
		f(300, 10, empty)
		f(10, 300, empty)
	}
}

func TestCut_format(t *testing.T) {
	c := cut{Segment: 1, Nonce: 2, From: 3, To: 4, Frames: 5, Rows: 6, Sum: [12]byte{7, 8, 9}, summed: true}
	b := c.append(nil)
	want := "01000000050000000600000000000000" + "0100000000000000" + "0200000000000000" + "0300000000000000" + "0400000000000000" + "070809000000000000000000"
	if got := hex.EncodeToString(b[:cutBytes-4]); got != want || len(b) != cutBytes {
		t.Errorf("the bytes of version 1 changed:\n%s\n%s", want, got)
	}
	if diff := cmp.Diff(c, decodeCut(b), cmp.AllowUnexported(cut{})); diff != "" {
		t.Error(diff)
	}
	if got, want := c.token(), "daysalt-1-2-3-4-070809000000000000000000"; got != want {
		t.Errorf("token %s, want %s", got, want)
	}
	b[0] = 3
	if _, err := parseCuts(resum(b), func(uint64) (uint64, bool) { return 2, true }); err == nil {
		t.Error("another version is read")
	}
}

// FuzzParseCuts reads arbitrary bytes as a file of cuts: what comes out is in order and does not overlap.
func FuzzParseCuts(f *testing.F) {
	good := cut{Segment: 1, Nonce: 2, From: 0, To: 16}.append(nil)
	good = cut{Segment: 1, Nonce: 2, From: 32, To: 64}.append(good)
	f.Add(good)
	f.Add(good[:100])
	f.Fuzz(func(t *testing.T, b []byte) {
		b = bytes.Clone(b)
		for rec := range slices.Chunk(b, cutBytes) {
			if len(rec) == cutBytes {
				resum(rec)
			}
		}
		file, err := parseCuts(b, func(uint64) (uint64, bool) { return 2, true })
		if err != nil {
			return
		}
		var last journal.Position
		for _, c := range file.ahead {
			from, to := journal.Position{Segment: c.Segment, Offset: c.From}, journal.Position{Segment: c.Segment, Offset: c.To}
			if from.Compare(last) < 0 || to.Compare(from) <= 0 {
				t.Fatalf("a cut from %v to %v behind %v", from, to, last)
			}
			last = to
		}
	})
}

// resum makes the checksum at the end of b right, and returns b.
func resum(b []byte) []byte {
	n := len(b) - 4
	binary.LittleEndian.PutUint32(b[n:], crc32.Checksum(b[:n], castagnoli))
	return b
}
