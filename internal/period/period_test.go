package period_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // zones must be there on a machine without them

	"github.com/google/go-cmp/cmp"

	"github.com/daysalt/daysalt/internal/fault"
	"github.com/daysalt/daysalt/internal/period"
)

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func date(t *testing.T, s string) period.Date {
	t.Helper()
	d, ok := period.ParseDate(s)
	if !ok {
		t.Fatalf("%q is no date", s)
	}
	return d
}

func TestParseDate(t *testing.T) {
	f := func(s string, want period.Date, ok bool) {
		t.Helper()
		got, gotOK := period.ParseDate(s)
		if gotOK != ok || ok && got != want {
			t.Errorf("ParseDate(%q) = %d, %t; want %d, %t", s, got, gotOK, want, ok)
		}
		if ok && got.String() != s {
			t.Errorf("%q comes back as %q", s, got)
		}
	}
	f("1970-01-01", 0, true)
	f("2026-11-22", 20779, true)
	f("2024-02-29", 19782, true)
	f("2149-06-06", period.MaxDate, true)
	f("2149-06-07", 0, false)
	f("1969-12-31", 0, false)
	f("2026-02-29", 0, false)
	f("2026-13-01", 0, false)
	f("2026-1-1", 0, false)
	f("2026-11-22 ", 0, false)
	f("", 0, false)
}

func TestResolve(t *testing.T) {
	f := func(spec, now, zoneName, want string) {
		t.Helper()
		at, err := time.Parse(time.RFC3339, now)
		if err != nil {
			t.Fatal(err)
		}
		s, err := period.Parse(spec)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Resolve(at, zone(t, zoneName)).String(); got != want {
			t.Errorf("%s at %s in %s = %s, want %s", spec, now, zoneName, got, want)
		}
	}
	f("day", "2026-11-22T12:00:00Z", "UTC", "2026-11-22..2026-11-22")
	// Today is the site's today, not the server's.
	f("day", "2026-11-22T23:30:00Z", "Europe/Berlin", "2026-11-23..2026-11-23")
	f("day", "2026-11-22T04:30:00Z", "America/New_York", "2026-11-21..2026-11-21")
	// Whole days only: today is left out.
	f("7d", "2026-11-22T12:00:00Z", "UTC", "2026-11-15..2026-11-21")
	f("30d", "2026-11-22T23:30:00Z", "Europe/Berlin", "2026-10-24..2026-11-22")
	f("1d", "2026-03-01T12:00:00Z", "UTC", "2026-02-28..2026-02-28")
	f("5000d", "1975-01-01T12:00:00Z", "UTC", "1970-01-01..1974-12-31")
}

func TestParseInvalid(t *testing.T) {
	f := func(spec string) {
		t.Helper()
		_, err := period.Parse(spec)
		checkInvalid(t, spec, err, "must be")
	}
	for _, s := range []string{
		"", "d", "0d", "07d", "5001d", "99999d", "-7d", "+7d", "7", "7 d", "7D", "Day", "day ", "month", "6mo", "all", "24h", "realtime", "٧d", "1e3d",
	} {
		f(s)
	}
}

func TestParsePair(t *testing.T) {
	f := func(from, to, want string) {
		t.Helper()
		s, err := period.ParsePair(from, to)
		if err != nil {
			t.Errorf("ParsePair(%q, %q): %v", from, to, err)
			return
		}
		if got := s.Resolve(time.Unix(0, 0), time.UTC).String(); got != want {
			t.Errorf("ParsePair(%q, %q) = %s, want %s", from, to, got, want)
		}
	}
	f("2026-11-01", "2026-11-20", "2026-11-01..2026-11-20")
	f("2026-11-20", "2026-11-20", "2026-11-20..2026-11-20")
	f("1970-01-01", "1983-09-09", "1970-01-01..1983-09-09")

	bad := func(from, to, want string) {
		t.Helper()
		_, err := period.ParsePair(from, to)
		checkInvalid(t, from+", "+to, err, want)
	}
	bad("2026-11-21", "2026-11-20", "must not be after")
	bad("2026-11-31", "2026-12-01", "two dates")
	bad("", "2026-12-01", "two dates")
	bad("2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z", "not supported yet")
	bad("1970-01-01", "1983-09-10", "at most 5000 days")
}

func checkInvalid(t *testing.T, what string, err error, want string) {
	t.Helper()
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || f.Kind != fault.Invalid || f.Field != "date_range" || !strings.Contains(f.Message, want) {
		t.Errorf("%s: %v, want an invalid date_range that says %q", what, err, want)
	}
}

func TestStart(t *testing.T) {
	f := func(day, zoneName, want string) {
		t.Helper()
		d := date(t, day)
		got := d.Start(zone(t, zoneName))
		if s := got.UTC().Format(time.RFC3339); s != want {
			t.Errorf("%s in %s starts at %s, want %s", day, zoneName, s, want)
		}
		if period.DateOf(got) != d || period.DateOf(got.Add(-time.Second)) == d {
			t.Errorf("%s is not the first moment of %s in %s", got, day, zoneName)
		}
	}
	f("2026-11-22", "UTC", "2026-11-22T00:00:00Z")
	f("2026-11-22", "Europe/Berlin", "2026-11-21T23:00:00Z")
	f("2026-11-22", "Asia/Kathmandu", "2026-11-21T18:15:00Z")
	f("2018-11-04", "America/Sao_Paulo", "2018-11-04T03:00:00Z") // 00:00 does not exist
	f("2024-11-03", "America/Havana", "2024-11-03T04:00:00Z")    // 00:00 comes twice
	f("2026-11-22", "Pacific/Kiritimati", "2026-11-21T10:00:00Z")
}

func TestHours(t *testing.T) {
	f := func(day, zoneName string, count int, first, last string, missing ...string) {
		t.Helper()
		d := date(t, day)
		got := period.Range{From: d, To: d}.Labels(period.Hour, zone(t, zoneName))
		if len(got) != count || got[0] != day+" "+first || got[len(got)-1] != day+" "+last {
			t.Errorf("%s in %s: %d hours %q; want %d from %s to %s", day, zoneName, len(got), got, count, first, last)
		}
		for i := 1; i < len(got); i++ {
			if got[i] <= got[i-1] {
				t.Errorf("%s in %s: %s comes after %s", day, zoneName, got[i], got[i-1])
			}
		}
		for _, m := range missing {
			for _, g := range got {
				if g == day+" "+m {
					t.Errorf("%s in %s has the hour %s, which its clocks skip", day, zoneName, m)
				}
			}
		}
	}
	f("2026-11-22", "UTC", 24, "00:00:00", "23:00:00")
	f("2026-11-22", "Asia/Kathmandu", 24, "00:00:00", "23:00:00")
	// The day of 23 hours lacks an hour; the day of 25 has one of two hours, which is one label.
	f("2026-03-29", "Europe/Berlin", 23, "00:00:00", "23:00:00", "02:00:00")
	f("2026-10-25", "Europe/Berlin", 24, "00:00:00", "23:00:00")
	f("2018-11-04", "America/Sao_Paulo", 23, "01:00:00", "23:00:00", "00:00:00")
	f("2026-04-05", "Australia/Lord_Howe", 24, "00:00:00", "23:00:00") // back by half an hour
	f("2026-10-04", "Australia/Lord_Howe", 24, "00:00:00", "23:00:00") // forward by half an hour
}

func TestLabels(t *testing.T) {
	f := func(from, to string, i period.Interval, want ...string) {
		t.Helper()
		got := period.Range{From: date(t, from), To: date(t, to)}.Labels(i, time.UTC)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s to %s: (-want +got)\n%s", from, to, diff)
		}
	}
	f("2026-02-27", "2026-03-02", period.Day, "2026-02-27", "2026-02-28", "2026-03-01", "2026-03-02")
	// 2026-11-22 is a Sunday: the first week is cut at the range's first day.
	f("2026-11-18", "2026-12-01", period.Week, "2026-11-18", "2026-11-23", "2026-11-30")
	f("2026-11-18", "2027-01-01", period.Month, "2026-11-01", "2026-12-01", "2027-01-01")
	f("2026-11-18", "2026-11-20", period.Auto, "2026-11-18", "2026-11-19", "2026-11-20")
}

func TestAutoInterval(t *testing.T) {
	f := func(days int, want period.Interval) {
		t.Helper()
		r := period.Range{From: 20000, To: 20000 + period.Date(days) - 1}
		if got := r.Interval(period.Auto); got != want {
			t.Errorf("%d days are cut into %d, want %d", days, got, want)
		}
	}
	f(1, period.Hour)
	f(2, period.Hour)
	f(3, period.Day)
	f(40, period.Day)
	f(41, period.Week)
	f(364, period.Week)
	f(365, period.Month)
}

func TestRangeJSON(t *testing.T) {
	b, err := json.Marshal(period.Range{From: date(t, "2026-11-01"), To: date(t, "2026-11-20")})
	if err != nil || string(b) != `["2026-11-01","2026-11-20"]` {
		t.Errorf("%s, %v", b, err)
	}
}

// TestEveryMomentHasItsLabel walks whole years in awkward zones: the label of each moment must be among its day's.
func TestEveryMomentHasItsLabel(t *testing.T) {
	for _, name := range []string{
		"Europe/Berlin", "America/Havana", "America/Sao_Paulo", "Asia/Kathmandu", "Australia/Lord_Howe", "Asia/Beirut", "Africa/Cairo", "Pacific/Apia", "Pacific/Chatham",
	} {
		z := zone(t, name)
		r := period.Range{From: date(t, "2010-12-31"), To: date(t, "2012-01-02")}
		labels := map[string]bool{}
		for _, l := range r.Labels(period.Hour, z) {
			if labels[l] {
				t.Errorf("%s: %s twice", name, l)
			}
			labels[l] = true
		}
		used := map[string]bool{}
		for at := r.From.Start(z); period.DateOf(at) <= r.To; at = at.Add(5 * time.Minute) {
			l := at.Format("2006-01-02 15:00:00")
			if !labels[l] {
				t.Fatalf("%s: no label for %s", name, at)
			}
			used[l] = true
		}
		if len(used) != len(labels) {
			t.Errorf("%s: %d labels, %d of them with a moment", name, len(labels), len(used))
		}
	}
}
