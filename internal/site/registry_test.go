package site_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/daysalt/daysalt/internal/fault"
	"github.com/daysalt/daysalt/internal/settings"
	"github.com/daysalt/daysalt/internal/site"
)

func open(t *testing.T, path string, now func() time.Time) *site.Registry {
	t.Helper()
	db, err := settings.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	r, err := site.NewRegistry(t.Context(), db, now)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRegistry_survivesReopen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sub dir?", "settings.db")
	now := func() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) }
	r := open(t, path, now)
	added, err := r.Add(t.Context(), "WWW.Example.com", "Europe/Berlin", 60)
	if err != nil {
		t.Fatal(err)
	}
	for _, spelling := range []string{"example.com", "www.example.com", " Example.COM "} {
		if s, ok := r.Lookup(spelling); !ok || s.ID != added.ID {
			t.Errorf("Lookup(%q) = %v, %v", spelling, s, ok)
		}
	}
	again := open(t, path, now)
	s, ok := again.Lookup("example.com")
	if !ok || s.RetentionDays != 60 || s.Zone(now()).String() != "Europe/Berlin" {
		t.Errorf("after reopening: %+v, %v", s, ok)
	}
}

func TestRegistry_idIsNeverReused(t *testing.T) {
	r := open(t, filepath.Join(t.TempDir(), "s.db"), time.Now)
	first, err := r.Add(t.Context(), "a.example", "UTC", 396)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Remove(t.Context(), "a.example"); err != nil {
		t.Fatal(err)
	}
	if _, ok := r.Lookup("a.example"); ok {
		t.Error("a removed site is still found")
	}
	second, err := r.Add(t.Context(), "a.example", "UTC", 396)
	if err != nil {
		t.Fatal(err)
	}
	if second.ID == first.ID {
		t.Errorf("id %d names two sites", first.ID)
	}
}

// A removed site is gone at once, its domain is free, and its id is kept until its events are deleted.
func TestRegistry_removed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	r := open(t, path, time.Now)
	first, err := r.Add(t.Context(), "a.example", "UTC", 396)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Remove(t.Context(), "a.example"); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Add(t.Context(), "a.example", "UTC", 396); err != nil {
		t.Errorf("the domain is not free: %v", err)
	}
	again := open(t, path, time.Now)
	ids, err := again.Removed(t.Context())
	if err != nil || len(ids) != 1 || ids[0] != first.ID {
		t.Fatalf("after a restart %v is to be deleted, %v", ids, err)
	}
	if err := again.Forget(t.Context(), first.ID); err != nil {
		t.Fatal(err)
	}
	if ids, err := again.Removed(t.Context()); err != nil || len(ids) != 0 {
		t.Errorf("still to be deleted: %v, %v", ids, err)
	}
	if _, ok := again.Lookup("a.example"); !ok {
		t.Error("the new site of that domain was forgotten")
	}
}

func TestRegistry_bad(t *testing.T) {
	r := open(t, filepath.Join(t.TempDir(), "s.db"), time.Now)
	if _, err := r.Add(t.Context(), "a.example", "UTC", 396); err != nil {
		t.Fatal(err)
	}
	f := func(domain, zone string, days int, kind fault.Kind) {
		t.Helper()
		if _, err := r.Add(t.Context(), domain, zone, days); fault.KindOf(err) != kind {
			t.Errorf("Add(%q, %q, %d): %v", domain, zone, days, err)
		}
	}
	f("a.example", "UTC", 396, fault.Conflict)
	f("www.a.example", "UTC", 396, fault.Conflict)
	f("", "UTC", 396, fault.Invalid)
	f("https://b.example", "UTC", 396, fault.Invalid)
	f("b.example/blog", "UTC", 396, fault.Invalid)
	f("b example", "UTC", 396, fault.Invalid)
	f("b.example", "Mars/Olympus", 396, fault.Invalid)
	f("b.example", "", 396, fault.Invalid)
	f("b.example", "Local", 396, fault.Invalid)
	f("b.example", "UTC", 0, fault.Invalid)
	f("b.example", "UTC", 99999, fault.Invalid)
	zone := "Nowhere"
	if _, err := r.Set(t.Context(), "a.example", site.Change{Timezone: &zone}); fault.KindOf(err) != fault.Invalid {
		t.Errorf("Set with a bad zone: %v", err)
	}
	if _, err := r.Set(t.Context(), "a.example", site.Change{}); fault.KindOf(err) != fault.Invalid {
		t.Errorf("Set with nothing: %v", err)
	}
	if _, err := r.Remove(t.Context(), "none.example"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("Remove of an unknown site: %v", err)
	}
}

func TestRegistry_international(t *testing.T) {
	r := open(t, filepath.Join(t.TempDir(), "s.db"), time.Now)
	s, err := r.Add(t.Context(), "Bücher.example", "UTC", 396)
	if err != nil || s.Domain != "xn--bcher-kva.example" {
		t.Errorf("got %+v, %v", s, err)
	}
	days := 60
	if s, err = r.Set(t.Context(), "bücher.example", site.Change{RetentionDays: &days}); err != nil || s.RetentionDays != 60 {
		t.Errorf("Set by the name a person types: %+v, %v", s, err)
	}
	if _, err := r.Remove(t.Context(), "BÜCHER.example"); err != nil {
		t.Errorf("Remove by the name a person types: %v", err)
	}
}

// A new zone begins at the later of the two next midnights: then the old zone's day is over, and no visitor has two numbers at one moment.
func TestRegistry_zoneChange(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	f := func(from, to, want string) {
		t.Helper()
		r := open(t, filepath.Join(t.TempDir(), "s.db"), func() time.Time { return now })
		if _, err := r.Add(t.Context(), "a.example", from, 396); err != nil {
			t.Fatal(err)
		}
		s, err := r.Set(t.Context(), "a.example", site.Change{Timezone: &to})
		if err != nil {
			t.Fatal(err)
		}
		zone, at := s.NextZone(now)
		if zone == nil || at.UTC().Format(time.RFC3339) != want {
			t.Fatalf("%s to %s: begins %v, want %s", from, to, at.UTC(), want)
		}
		if s.Zone(now).String() != from || s.Zone(at.Add(-time.Second)).String() != from || s.Zone(at).String() != to {
			t.Errorf("%s to %s: wrong zone around the change", from, to)
		}
		if s, err = r.Set(t.Context(), "a.example", site.Change{Timezone: &from}); err != nil {
			t.Fatal(err)
		}
		if zone, _ := s.NextZone(now); zone != nil {
			t.Errorf("%s to %s and back: still a change to %s", from, to, zone)
		}
	}
	f("UTC", "Europe/Berlin", "2026-11-23T00:00:00Z")
	f("Europe/Berlin", "UTC", "2026-11-23T00:00:00Z")
	f("Europe/Berlin", "America/New_York", "2026-11-23T05:00:00Z")
	f("Pacific/Kiritimati", "Etc/GMT+12", "2026-11-23T12:00:00Z")
	f("Asia/Kathmandu", "UTC", "2026-11-23T00:00:00Z")
}
