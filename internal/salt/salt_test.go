package salt_test

import (
	"crypto/rand"
	"errors"
	"net/netip"
	"testing"
	"testing/iotest"
	"time"

	"github.com/daysalt/daysalt/internal/event"
	"github.com/daysalt/daysalt/internal/salt"
)

var (
	noon  = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	home  = netip.MustParseAddr("192.0.2.1")
	agent = "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"
)

func number(t *testing.T, k *salt.Keys, site uint32, at time.Time, a netip.Addr, ua string) (event.Day, uint64) {
	t.Helper()
	day, n, err := k.Number(site, time.UTC, at, a, ua)
	if err != nil {
		t.Fatal(err)
	}
	if n == 0 {
		t.Fatal("visitor number 0")
	}
	return day, n
}

func TestNumber_sameAllDayAndNeverAgain(t *testing.T) {
	k := salt.New(rand.Reader)
	day, morning := number(t, k, 1, noon.Add(-11*time.Hour), home, agent)
	if _, evening := number(t, k, 1, noon.Add(11*time.Hour+59*time.Minute), home, agent); evening != morning {
		t.Error("one visitor has two numbers on one day")
	}
	nextDay, tomorrow := number(t, k, 1, noon.Add(12*time.Hour), home, agent)
	if tomorrow == morning || nextDay != day+1 {
		t.Errorf("day %d gave %d, day %d gave %d", day, morning, nextDay, tomorrow)
	}
	// A clock set back must not bring the old day back.
	backDay, back := number(t, k, 1, noon, home, agent)
	if backDay != nextDay || back != tomorrow {
		t.Error("a clock set back made a key for an earlier date")
	}
}

func TestNumber_dependsOnEveryPart(t *testing.T) {
	k := salt.New(rand.Reader)
	seen := map[uint64]string{}
	f := func(what string, site uint32, a netip.Addr, ua string) {
		t.Helper()
		_, n := number(t, k, site, noon, a, ua)
		if other, ok := seen[n]; ok {
			t.Errorf("%s and %s share a number", what, other)
		}
		seen[n] = what
	}
	f("base", 1, home, agent)
	f("another site", 2, home, agent)
	f("another address", 1, netip.MustParseAddr("192.0.2.2"), agent)
	f("another agent", 1, home, agent+"x")
	f("IPv6", 1, netip.MustParseAddr("2001:db8::1"), agent)
	f("no agent", 1, home, "")
	if _, n := number(t, k, 1, noon, netip.MustParseAddr("::ffff:192.0.2.1"), agent); seen[n] != "base" {
		t.Error("an IPv4 address mapped into IPv6 is another visitor")
	}
	if _, n := number(t, salt.New(rand.Reader), 1, noon, home, agent); seen[n] != "" {
		t.Error("two processes made the same key")
	}
}

func TestNumber_allocatesNothing(t *testing.T) {
	k := salt.New(rand.Reader)
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() { _, _, _ = k.Number(1, berlin, noon, home, agent) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestNumber_noRandom(t *testing.T) {
	broken := errors.New("no entropy")
	if _, _, err := salt.New(iotest.ErrReader(broken)).Number(1, time.UTC, noon, home, agent); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

func TestDayOf(t *testing.T) {
	f := func(zone, at, want string) {
		t.Helper()
		loc, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		when, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		if got := time.Unix(int64(salt.DayOf(when, loc))*86400, 0).UTC().Format(time.DateOnly); got != want {
			t.Errorf("%s in %s is %s, want %s", at, zone, got, want)
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
