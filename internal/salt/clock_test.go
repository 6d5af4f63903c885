package salt

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// Every rule for clocks holds within a process, and for one that is started again over the same file.
func TestClockRules(t *testing.T) {
	const day = 24 * time.Hour
	for name, restart := range map[string]bool{"running": false, "restarted": true} {
		t.Run(name, func(t *testing.T) {
			var (
				clock *fakeClock
				cfg   Config
				k     *Keys
				log   bytes.Buffer
			)
			again := func() {
				k.Tend(t.Context())
				if restart {
					if err := k.Close(); err != nil {
						t.Fatal(err)
					}
					k = open(t, cfg, clock, &log)
					k.Tend(t.Context())
				}
			}
			begin := func() (date string, n uint64) {
				clock, cfg = newClock(), keyFile(t)
				log.Reset()
				k = open(t, cfg, clock, &log)
				d, n := number(t, k, time.UTC, clock.Now())
				again()
				return dateOf(d), n
			}
			ask := func() (date string, n uint64) {
				d, n := number(t, k, time.UTC, clock.Now())
				k.Tend(t.Context())
				return dateOf(d), n
			}
			expect := func(what, date, want string, same, wantSame bool) {
				t.Helper()
				if date != want || same != wantSame {
					t.Errorf("%s: counted on %s, want %s; number as before: %v, want %v", what, date, want, same, wantSame)
				}
			}

			_, n := begin()
			date, again1 := ask()
			expect("nothing happened", date, "2026-11-22", n == again1, true)

			clock.set(clock.Now().Add(day))
			again()
			date, forward := ask()
			expect("a day forward", date, "2026-11-23", n == forward, false)
			if _, keys := hasKeys(t, cfg.File.Path()); keys != 1 {
				t.Errorf("a day forward: %d keys", keys)
			}
			clock.set(noon)
			again()
			date, back := ask()
			expect("and back", date, "2026-11-23", forward == back, true)
			warnings := 1 // of each process
			if restart {
				warnings = 2
			}
			if s := k.Stats(); s.Behind != 1 || strings.Count(log.String(), "clock is behind") != warnings {
				t.Errorf("%+v, log:\n%s", s, log.String())
			}
			for _, want := range []string{"zone=UTC", "wall_date=2026-11-22", "highest_date=2026-11-23", "remove the key file", cfg.File.Path()} {
				if !strings.Contains(log.String(), want) {
					t.Errorf("the warning has no %q", want)
				}
			}
			clock.set(noon.Add(11*time.Hour + 30*time.Minute)) // a clock that is half an hour behind is nothing to warn of
			ask()
			if s := k.Stats(); s.Behind != 0 {
				t.Errorf("half an hour behind: %+v", s)
			}

			_, n = begin()
			clock.set(time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC))
			again()
			date, far := ask()
			expect("to 2030", date, "2030-01-02", n == far, false)
			clock.set(noon)
			again()
			date, back = ask()
			expect("and back from 2030", date, "2030-01-02", far == back, true)
			clock.sleep(26 * time.Hour)
			again()
			date, worn := ask()
			expect("still back after 26 hours", date, "2030-01-02", far == worn, false)

			_, n = begin()
			clock.set(time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC))
			again() // nobody comes in 2030
			clock.set(noon)
			again()
			date, next := ask()
			expect("to 2030 and back unseen", date, "2026-11-23", n == next, false)

			_, n = begin()
			clock.set(noon.Add(-day))
			again()
			date, back = ask()
			expect("a day back", date, "2026-11-22", n == back, true)

			_, n = begin()
			clock.sleep(26*time.Hour - time.Second)
			again()
			date, frozen := ask()
			expect("a frozen wall, before 26 hours", date, "2026-11-22", n == frozen, true)
			clock.sleep(time.Second)
			again()
			if _, keys := hasKeys(t, cfg.File.Path()); keys != 0 {
				t.Errorf("a frozen wall, 26 hours: %d keys", keys)
			}
			date, frozen = ask()
			expect("a frozen wall, 26 hours", date, "2026-11-22", n == frozen, false)

			// A key that was made later than now is of no known age.
			_, n = begin()
			clock.sleep(-time.Minute)
			again()
			date, young := ask()
			expect("a key from the future", date, "2026-11-22", n == young, false)
		})
	}
}

// A quiet site's key must go at its midnight too, when no event comes to replace it; and it is gone from the file with it.
func TestTend_quiet(t *testing.T) {
	clock, cfg := newClock(), keyFile(t)
	kathmandu := zone(t, "Asia/Kathmandu") // its day ends at 18:15 UTC
	k := open(t, cfg, clock, nil)
	day, n := number(t, k, time.UTC, noon)
	number(t, k, kathmandu, noon)
	if _, keys := hasKeys(t, cfg.File.Path()); keys != 2 {
		t.Fatalf("%d keys", keys)
	}

	clock.advance(11 * time.Hour)
	k.Tend(t.Context())
	if _, keys := hasKeys(t, cfg.File.Path()); keys != 1 {
		t.Errorf("Kathmandu's day is over: %d keys", keys)
	}
	if _, same := number(t, k, time.UTC, clock.Now()); same != n {
		t.Error("the key was destroyed before its day was over")
	}

	// Nobody asks for the zone after a restart: its key goes all the same.
	_ = k.Close()
	k = open(t, cfg, clock, nil)
	clock.advance(time.Hour)
	k.Tend(t.Context())
	if slots, keys := hasKeys(t, cfg.File.Path()); keys != 0 || slots != 2 {
		t.Errorf("%d slots, %d keys", slots, keys)
	}
	if s := k.Stats(); s.InUse != 0 || s.Destroyed != 1 {
		t.Errorf("%+v", s)
	}

	// The clock is set back: the day that was over stays over.
	back, again := number(t, k, time.UTC, noon)
	if back != day+1 || again == n {
		t.Errorf("day %d came back as %d: same number %v", day, back, again == n)
	}
}

// A key that an event replaced is destroyed at once.
func TestNumber_replaces(t *testing.T) {
	clock, cfg := newClock(), keyFile(t)
	k := open(t, cfg, clock, nil)
	number(t, k, time.UTC, noon)
	number(t, k, time.UTC, noon.Add(24*time.Hour))
	if slots, keys := hasKeys(t, cfg.File.Path()); slots != 1 || keys != 1 {
		t.Errorf("%d slots, %d keys", slots, keys)
	}
	if s := k.Stats(); s.InUse != 1 || s.Destroyed != 1 {
		t.Errorf("%+v", s)
	}
}
