package salt

import (
	"errors"
	"os"
	"testing"
	"time"
)

// Whoever asks after a number gets the one that was made, and where there is no key none is made for the question.
func TestKnown(t *testing.T) {
	f := func(what string, k *Keys, at time.Time, wantDay, want uint64, wantOK bool) {
		t.Helper()
		before := k.Stats()
		day, n, ok, err := k.Known(1, time.UTC, at, home, agent)
		if err != nil || ok != wantOK || n != want || uint64(day) != wantDay {
			t.Errorf("%s: day %d, number %d, %v, %v; want %d, %d, %v", what, day, n, ok, err, wantDay, want, wantOK)
		}
		if after := k.Stats(); after.InUse > before.InUse {
			t.Errorf("%s: %d keys became %d", what, before.InUse, after.InUse)
		}
	}
	clock := newClock()
	cfg := keyFile(t)
	k := open(t, cfg, clock, nil)
	f("no key", k, noon, 0, 0, false)
	day, n := number(t, k, time.UTC, noon)
	f("the day's key", k, noon.Add(time.Hour), uint64(day), n, true)
	f("tomorrow", k, noon.Add(12*time.Hour), 0, 0, false)
	f("a clock that was set back", k, noon.Add(-24*time.Hour), uint64(day), n, true) // Number gives this one too.
	if _, _, ok, _ := k.Known(1, zone(t, "Europe/Berlin"), noon, home, agent); ok {
		t.Error("a zone without a key has one")
	}
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := k.Known(1, time.UTC, noon, home, agent); !errors.Is(err, os.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
	k = open(t, cfg, clock, nil) // and the next process on the file
	f("another process's key", k, noon, uint64(day), n, true)
	clock.sleep(27 * time.Hour)
	f("a key that was in use for too long", k, noon, 0, 0, false)
}
