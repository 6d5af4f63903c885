package ship

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/daysalt/daysalt/internal/event"
	"github.com/daysalt/daysalt/internal/journal"
)

// A database that was restarted gets everything again that it acknowledged in the last minutes, in the visits of then.
func TestReplay_afterARestart(t *testing.T) {
	f := func(what string, cut func(l *line, d *database), want uint64) {
		t.Helper()
		bubble(t, func(t *testing.T, l *line) {
			t.Helper()
			d := newDatabase(t)
			var events []event.Event
			feed := func(minutes int) {
				for range minutes {
					more := numbered(len(events), 12)
					events = append(events, more...)
					for _, e := range more {
						l.append(e)
						time.Sleep(5 * time.Second)
					}
				}
			}
			l.startWith(d)
			feed(25)
			synctest.Wait()
			if n := len(l.s.bases); n < 5 || n > 8 {
				t.Errorf("%d bases are kept", n)
			}
			cut(l, d)
			feed(2)
			l.flush()
			l.checkStored(d, events)
			if got := l.s.Stats(); got.Replays != want || got.LagBytes != 0 {
				t.Errorf("%s: %+v, want %d replays", what, got, want)
			}
			l.end()
		})
	}
	f("no restart", func(*line, *database) {}, 0)
	f("a restart", func(_ *line, d *database) { d.cut(10*time.Minute, 10_000, 10_000) }, 1)
	f("a restart that is seen by a failure", func(l *line, d *database) {
		d.cut(10*time.Minute, 10_000, 10_000)
		n := 0
		d.before = func() error {
			if n++; n < 3 {
				return errors.New("no connection")
			}
			return nil
		}
	}, 1)
	f("a clock that was set right", func(_ *line, d *database) { d.started += 5 }, 0)
	f("while it did not run", func(l *line, d *database) {
		l.end()
		d.cut(10*time.Minute, 10_000, 10_000)
		l.startWith(d)
	}, 1)
	f("a reboot", func(l *line, d *database) {
		l.end()
		l.cfg.BootID = "first"
		l.startWith(d) // It was not known before.
		l.flush()
		time.Sleep(time.Minute)
		l.end()
		d.cut(10*time.Minute, 10_000, 10_000)
		d.started -= 100
		l.cfg.BootID = "second"
		l.startWith(d)
	}, 1)
	f("twice", func(l *line, d *database) {
		for range 2 {
			d.cut(10*time.Minute, 10_000, 10_000)
			time.Sleep(15 * time.Second)
		}
	}, 2)
}

// What is kept only to be sent again gives way: to events, to a quarter of the quota, and to the number of blocks that a database remembers.
func TestReplay_isBounded(t *testing.T) {
	f := func(what string, quota int64, spoil func(l *line, d *database), want func(l *line, st journal.Stats) bool) {
		t.Helper()
		bubble(t, func(t *testing.T, l *line) {
			t.Helper()
			l.closeJournal()
			var err error
			l.j, err = journal.Open(journal.Config{Dir: filepath.Join(l.dir, "small"), SegmentBytes: 8192, QuotaBytes: quota, Now: time.Now}, nil)
			if err != nil {
				t.Fatal(err)
			}
			d := newDatabase(t)
			l.cfg.CheckpointEvery = time.Second
			l.startWith(d)
			events := numbered(0, 950)
			for i, e := range events {
				if i == 200 {
					spoil(l, d)
				}
				l.append(e)
				time.Sleep(100 * time.Millisecond)
			}
			d.mu.Lock()
			d.before = nil
			d.mu.Unlock()
			l.flush()
			time.Sleep(2 * time.Second)
			if st := l.j.Stats(); !want(l, st) || st.Refused > 0 {
				t.Errorf("%s: %+v, bases %+v", what, st, l.s.bases)
			}
			l.checkStored(d, events)
			l.end()
		})
	}
	nothing := func(*line, *database) {}
	f("much room", 64<<20, nothing, func(_ *line, st journal.Stats) bool { return st.Oldest == 1 && st.Segments > 10 })
	f("a quarter", 40*8192, nothing, func(_ *line, st journal.Stats) bool { return st.Oldest > 3 && st.Segments <= 13 })
	// The database is away for the last events: they take the room of what was kept.
	f("an outage", 24*8192, func(_ *line, d *database) {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.before = func() error { return errors.New("no connection") }
	}, func(_ *line, st journal.Stats) bool { return st.Oldest > 3 })
	f("blocks", 64<<20, func(l *line, _ *database) {
		l.end()
		for i := range l.s.bases {
			l.s.bases[i].blocks = 0
		}
		c, err := readCheckpoint(checkpointPath(l.cfg.Dir))
		if err != nil {
			l.t.Fatal(err)
		}
		b, _ := l.s.encodeCheckpoint(c.pos)
		b[48], b[49] = 0xff, 0xff // 65535 blocks and more
		if err := os.WriteFile(checkpointPath(l.cfg.Dir), resum(b), 0o600); err != nil {
			l.t.Fatal(err)
		}
		l.startWith(l.s.sink)
	}, func(l *line, st journal.Stats) bool { return st.Oldest > 3 })
}

// Files that are lost, damaged or of earlier cost nothing as long as one of the checkpoint and the bases is left; without all of them no row.
func TestCrash_withoutSomeCheckpoints(t *testing.T) {
	first := uint64(time.Now().UnixNano() % 1_000_000)
	t.Logf("seeds from %d", first)
	for seed := first; seed < first+10; seed++ {
		bubble(t, func(t *testing.T, l *line) {
			t.Helper()
			rng := rand.New(rand.NewPCG(seed, 2))
			l.cfg.Keep = time.Duration(1+rng.IntN(1000)) * time.Millisecond
			all := rng.IntN(2) == 0
			l.sink.strict = !all
			events := crashes(l, rng, func() {
				paths, err := filepath.Glob(checkpointPath(l.cfg.Dir) + "*")
				if err != nil {
					t.Fatal(err)
				}
				paths = slices.DeleteFunc(paths, func(path string) bool { // It may have been damaged before, and not be written anew since.
					_, err := readCheckpoint(path)
					return err != nil
				})
				spare := rng.IntN(max(1, len(paths)))
				for i, path := range paths {
					if (i != spare || all) && rng.IntN(2) == 0 {
						damage(t, rng, path)
					}
				}
			})
			got := byPath(l.t, events, l.sink.stored())
			if want := joined(events); !all && fmt.Sprint(want) != fmt.Sprint(got) {
				t.Error("the visits are others")
			}
			if t.Failed() {
				t.Fatalf("seed %d", seed)
			}
		})
	}
}

// damage removes a file, cuts it, or changes a bit of it.
func damage(t *testing.T, rng *rand.Rand, path string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil || len(b) == 0 {
		t.Fatal(err)
	}
	switch rng.IntN(3) {
	case 0:
		err = os.Remove(path)
	case 1: // A base may be the same file as the checkpoint.
		b = bytes.Clone(b)
		b[rng.IntN(len(b))] ^= 1
		err = writeFile(path, b)
	case 2:
		err = writeFile(path, b[:rng.IntN(len(b))])
	}
	if err != nil {
		t.Error(err)
	}
}

// Without the checkpoint the newest base gives the same visits.
func TestBase_standsForTheCheckpoint(t *testing.T) {
	for _, spoil := range []func(path string) error{os.Remove, func(path string) error { return writeFile(path, []byte("damaged")) }} {
		bubble(t, func(t *testing.T, l *line) {
			t.Helper()
			events := numbered(0, 300)
			l.start()
			for _, e := range events[:250] {
				l.append(e)
				time.Sleep(2 * time.Second)
			}
			l.flush()
			l.end()
			if err := spoil(checkpointPath(l.cfg.Dir)); err != nil {
				t.Fatal(err)
			}
			l.start()
			l.append(events[250:]...)
			l.flush()
			if st := l.s.Stats(); st.Rows == 50 || st.Rows > 200 {
				t.Errorf("%d rows since the newest base", st.Rows)
			}
			l.end()
			if diff := fmt.Sprint(joined(events)) == fmt.Sprint(byPath(t, events, l.sink.stored())); !diff {
				t.Error("the visits are others")
			}
		})
	}
}
