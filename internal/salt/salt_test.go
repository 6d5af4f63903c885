package salt

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"testing/iotest"
	"time"

	"github.com/daysalt/daysalt/internal/event"
	"github.com/daysalt/daysalt/internal/fault"
)

func TestNumber_sameAllDayAndNeverAgain(t *testing.T) {
	k := memory(t, newClock())
	day, morning := number(t, k, time.UTC, noon.Add(-11*time.Hour))
	if _, evening := number(t, k, time.UTC, noon.Add(11*time.Hour+59*time.Minute)); evening != morning {
		t.Error("one visitor has two numbers on one day")
	}
	nextDay, tomorrow := number(t, k, time.UTC, noon.Add(12*time.Hour))
	if tomorrow == morning || nextDay != day+1 {
		t.Errorf("day %d gave %d, day %d gave %d", day, morning, nextDay, tomorrow)
	}
	// A clock set back must not bring the old day back.
	backDay, back := number(t, k, time.UTC, noon)
	if backDay != nextDay || back != tomorrow {
		t.Error("a clock set back made a key for an earlier date")
	}
}

func TestNumber_dependsOnEveryPart(t *testing.T) {
	clock := newClock()
	k := memory(t, clock)
	seen := map[uint64]string{}
	g := func(what string, k *Keys, site uint32, loc *time.Location, a netip.Addr, ua string) {
		t.Helper()
		_, n, err := k.Number(site, loc, noon, a, ua)
		if err != nil {
			t.Fatal(err)
		}
		if other, ok := seen[n]; ok {
			t.Errorf("%s and %s share a number", what, other)
		}
		seen[n] = what
	}
	f := func(what string, site uint32, a netip.Addr, ua string) {
		t.Helper()
		g(what, k, site, time.UTC, a, ua)
	}
	f("base", 1, home, agent)
	f("another site", 2, home, agent)
	f("another address", 1, netip.MustParseAddr("192.0.2.2"), agent)
	f("another agent", 1, home, agent+"x")
	f("IPv6", 1, netip.MustParseAddr("2001:db8::1"), agent)
	f("no agent", 1, home, "")
	g("another process", memory(t, clock), 1, time.UTC, home, agent)
	g("Berlin", k, 1, zone(t, "Europe/Berlin"), home, agent)
	g("Vienna, with Berlin's rules", k, 1, zone(t, "Europe/Vienna"), home, agent)
	if _, n, _ := k.Number(1, time.UTC, noon, netip.MustParseAddr("::ffff:192.0.2.1"), agent); seen[n] != "base" {
		t.Error("an IPv4 address mapped into IPv6 is another visitor")
	}
}

// The bytes that are hashed are part of what a day's numbers mean to the processes that share a key: they do not change between versions.
func TestVisitor_append(t *testing.T) {
	f := func(v visitor, want string) {
		t.Helper()
		if got := hex.EncodeToString(v.append(nil)); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	f(visitor{1, home, "ab"}, "01000000"+"04c0000201"+"0200"+"6162")
	f(visitor{0x01020304, netip.MustParseAddr("2001:db8::1"), ""}, "04030201"+"1020010db8000000000000000000000001"+"0000")
}

func TestNumber_allocatesNothing(t *testing.T) {
	k := memory(t, newClock())
	berlin := zone(t, "Europe/Berlin")
	if n := testing.AllocsPerRun(100, func() { _, _, _ = k.Number(1, berlin, noon, home, agent) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestNumber_noRandom(t *testing.T) {
	broken := errors.New("no entropy")
	k := open(t, Config{Storage: Memory, Random: iotest.ErrReader(broken)}, newClock(), nil)
	if _, _, err := k.Number(1, time.UTC, noon, home, agent); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	k = open(t, Config{Storage: Memory, Random: zeros{}}, newClock(), nil)
	if _, _, err := k.Number(1, time.UTC, noon, home, agent); !errors.Is(err, errBlank) {
		t.Errorf("a random source of zeros: got %v", err)
	}
	if s := k.Stats(); s.InUse != 0 {
		t.Errorf("%+v", s)
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func TestNumber_tooManyZones(t *testing.T) {
	k := memory(t, newClock())
	for i := range keySlots {
		number(t, k, time.FixedZone(fmt.Sprintf("zone %d", i), 0), noon)
	}
	if _, _, err := k.Number(1, time.FixedZone("one more", 0), noon, home, agent); !errors.Is(err, errFull) {
		t.Errorf("got %v", err)
	}
	number(t, k, time.FixedZone("zone 7", 0), noon)
}

func TestOpen_storage(t *testing.T) {
	f := func(cfg Config) {
		t.Helper()
		if _, err := Open(cfg, newClock(), nil); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%v: got %v", cfg.Storage, err)
		}
	}
	f(Config{})
	f(Config{Storage: "disk"})
	f(Config{Storage: Runtime})
	f(Config{Storage: Postgres})
}

func TestClose(t *testing.T) {
	k := memory(t, newClock())
	number(t, k, time.UTC, noon)
	if err := errors.Join(k.Close(), k.Close()); err != nil {
		t.Error(err)
	}
	if _, _, err := k.Number(1, time.UTC, noon, home, agent); !errors.Is(err, errClosed) {
		t.Errorf("got %v", err)
	}
	k.Tend(t.Context())
	if s := k.Stats(); s.InUse != 0 {
		t.Errorf("%+v", s)
	}
}

func dayOf(t *testing.T, date string) event.Day {
	t.Helper()
	d, err := time.Parse(time.DateOnly, date)
	if err != nil {
		t.Fatal(err)
	}
	return event.Day(d.Unix() / 86400)
}

func TestDayOf(t *testing.T) {
	f := func(name, at, want string) {
		t.Helper()
		when, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		if got := dateOf(DayOf(when, zone(t, name))); got != want {
			t.Errorf("%s in %s is %s, want %s", at, name, got, want)
		}
	}
	f("UTC", "2026-11-22T23:59:59Z", "2026-11-22")
	f("Europe/Berlin", "2026-11-22T23:00:00Z", "2026-11-23")
	f("Pacific/Kiritimati", "2026-11-22T10:00:00Z", "2026-11-23")
	f("Etc/GMT+12", "2026-11-22T11:59:59Z", "2026-11-21")
	f("Asia/Kathmandu", "2026-11-22T18:14:59Z", "2026-11-22")
	f("Asia/Kathmandu", "2026-11-22T18:15:00Z", "2026-11-23")
	f("America/New_York", "2026-03-08T04:59:59Z", "2026-03-07")
}

// In every zone, a key lives from the first to the last second of its date, and no longer: days of 23 and 25 hours too.
func TestKeys_wholeDay(t *testing.T) {
	f := func(name, date, begins, ends string) {
		t.Helper()
		from, err := time.Parse(time.RFC3339, begins)
		if err != nil {
			t.Fatal(err)
		}
		to, err := time.Parse(time.RFC3339, ends)
		if err != nil {
			t.Fatal(err)
		}
		loc, want := zone(t, name), dayOf(t, date)
		if got := EndOf(want, loc); !got.Equal(to) {
			t.Errorf("%s, %s: ends at %s, want %s", name, date, got.UTC(), ends)
		}
		clock := newClock()
		clock.set(from)
		k := memory(t, clock)
		day, first := number(t, k, loc, from)
		clock.advance(to.Sub(from) - time.Second)
		k.Tend(t.Context())
		lastDay, last := number(t, k, loc, clock.Now())
		if day != want || lastDay != want || first != last {
			t.Errorf("%s, %s: began as %s, ended as %s, one number: %v", name, date, dateOf(day), dateOf(lastDay), first == last)
		}
		clock.advance(time.Second)
		k.Tend(t.Context())
		if s := k.Stats(); s.InUse != 0 || s.Destroyed != 1 || s.Behind != 0 {
			t.Errorf("%s, after %s: %+v", name, date, s)
		}
		if next, n := number(t, k, loc, clock.Now()); next == want || n == last {
			t.Errorf("%s: %s goes on", name, date)
		}
	}
	f("UTC", "2026-11-22", "2026-11-22T00:00:00Z", "2026-11-23T00:00:00Z")
	f("Pacific/Kiritimati", "2026-11-22", "2026-11-21T10:00:00Z", "2026-11-22T10:00:00Z")  // +14
	f("Etc/GMT+12", "2026-11-22", "2026-11-22T12:00:00Z", "2026-11-23T12:00:00Z")          // -12
	f("Asia/Kathmandu", "2026-11-22", "2026-11-21T18:15:00Z", "2026-11-22T18:15:00Z")      // +5:45
	f("Pacific/Chatham", "2026-04-05", "2026-04-04T10:15:00Z", "2026-04-05T11:15:00Z")     // +13:45 to +12:45: 25 hours
	f("Europe/Berlin", "2026-03-29", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z")       // 23 hours
	f("Europe/Berlin", "2026-10-25", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z")       // 25 hours
	f("America/New_York", "2026-03-08", "2026-03-08T05:00:00Z", "2026-03-09T04:00:00Z")    // 23 hours
	f("America/New_York", "2026-11-01", "2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z")    // 25 hours
	f("Australia/Lord_Howe", "2026-04-05", "2026-04-04T13:00:00Z", "2026-04-05T13:30:00Z") // 24.5 hours
	f("Africa/Cairo", "2026-04-24", "2026-04-23T22:00:00Z", "2026-04-24T21:00:00Z")        // begins at 01:00: there is no midnight
	f("America/Havana", "2026-11-01", "2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z")      // 25 hours
	f("Pacific/Apia", "2011-12-29", "2011-12-29T10:00:00Z", "2011-12-30T10:00:00Z")        // the 30th was skipped
}
