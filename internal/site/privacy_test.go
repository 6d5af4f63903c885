package site_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pressly/goose/v3"

	"github.com/daysalt/daysalt/internal/fault"
	"github.com/daysalt/daysalt/internal/settings"
	"github.com/daysalt/daysalt/internal/site"
	"github.com/daysalt/daysalt/migrations"
)

// privacy is what a site does with addresses and texts, as one line.
func privacy(s *site.Site) string {
	words := []string{strconv.Itoa(s.AddressMask), s.HashAddress.String(), s.GeoFrom.String()}
	for _, rule := range s.RedactRules {
		words = append(words, rule.Field+":"+rule.Match+"="+rule.As)
	}
	if (s.Redact == nil) != (len(s.RedactRules) == 0) {
		words = append(words, "but the rules are not compiled")
	}
	return strings.Join(words, " ")
}

func customers() []site.Rule {
	return []site.Rule{{Field: "path", Match: "^/customers/([^/]+)", As: "{customer}"}}
}

// openDB opens a settings database without a registry.
func openDB(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := settings.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// Each setting alone, all at once, and none: what is not named stays, and another process reads the same.
func TestSet_privacy(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	r := open(t, path, time.Now)
	if _, err := r.Add(t.Context(), "a.example", "UTC", 396); err != nil {
		t.Fatal(err)
	}
	rule := []site.Rule{{Field: "name", Match: "o", As: "{o}"}}
	if _, err := r.Create(t.Context(), "other.example", site.Change{Timezone: new("UTC"), RetentionDays: new(396), Redact: &rule}); err != nil {
		t.Fatal(err)
	}
	f := func(c site.Change, want string) {
		t.Helper()
		s, err := r.Set(t.Context(), "a.example", c)
		if err != nil {
			t.Errorf("%+v: %v", c, err)
			return
		}
		if got := privacy(s); got != want {
			t.Errorf("%+v: %s, want %s", c, got, want)
		}
		for where, registry := range map[string]*site.Registry{"the same registry": r, "another one": open(t, path, time.Now)} {
			s, ok := registry.Lookup("a.example")
			if !ok || privacy(s) != want || s.RetentionDays != 396 {
				t.Errorf("%+v: %s has %+v, want %s", c, where, s, want)
			}
			if s, ok := registry.Lookup("other.example"); !ok || privacy(s) != "2 full cut name:o={o}" {
				t.Errorf("%+v: %s changed another site: %+v", c, where, s)
			}
		}
	}
	all := []site.Rule{{Field: "all", Match: "anna", As: "{person}"}, customers()[0]}
	f(site.Change{RetentionDays: new(396)}, "2 full cut")
	f(site.Change{AddressMask: new(1)}, "1 full cut")
	f(site.Change{AddressMask: new(4)}, "4 full cut")
	f(site.Change{HashAddress: new("masked")}, "4 masked cut")
	f(site.Change{GeoFrom: new("masked")}, "4 masked masked")
	f(site.Change{GeoFrom: new("off")}, "4 masked off")
	f(site.Change{Redact: new(customers())}, "4 masked off path:^/customers/([^/]+)={customer}")
	f(site.Change{AddressMask: new(3)}, "3 masked off path:^/customers/([^/]+)={customer}")
	f(site.Change{Redact: &all}, "3 masked off all:anna={person} path:^/customers/([^/]+)={customer}")
	f(site.Change{Redact: &[]site.Rule{}}, "3 masked off")
	f(site.Change{AddressMask: new(2), HashAddress: new("full"), GeoFrom: new("cut"), Redact: &all}, "2 full cut all:anna={person} path:^/customers/([^/]+)={customer}")
}

func TestCreate(t *testing.T) {
	r := open(t, filepath.Join(t.TempDir(), "s.db"), time.Now)
	s, err := r.Create(t.Context(), "a.example", site.Change{
		Timezone: new("Asia/Kathmandu"), RetentionDays: new(30), AddressMask: new(3), HashAddress: new("masked"), GeoFrom: new("off"), Redact: new(customers()),
	})
	if err != nil || privacy(s) != "3 masked off path:^/customers/([^/]+)={customer}" || s.RetentionDays != 30 || s.Zone(time.Now()).String() != "Asia/Kathmandu" {
		t.Errorf("%+v, %v", s, err)
	}
	for _, c := range []site.Change{{}, {Timezone: new("UTC")}, {RetentionDays: new(30)}} {
		if _, err := r.Create(t.Context(), "b.example", c); fault.KindOf(err) != fault.Invalid {
			t.Errorf("a site of %+v: %v", c, err)
		}
	}
}

// What is not allowed is refused with the field's name and what is allowed, and nothing changes; also where the rest of the change is right.
func TestPrivacy_bad(t *testing.T) {
	r := open(t, filepath.Join(t.TempDir(), "s.db"), time.Now)
	if _, err := r.Add(t.Context(), "a.example", "UTC", 396); err != nil {
		t.Fatal(err)
	}
	f := func(c site.Change, field, text string) {
		t.Helper()
		if c.RetentionDays == nil {
			c.RetentionDays = new(30)
		}
		_, set := r.Set(t.Context(), "a.example", c)
		if c.Timezone == nil {
			c.Timezone = new("UTC")
		}
		_, create := r.Create(t.Context(), "b.example", c)
		for call, err := range map[string]error{"Set": set, "Create": create} {
			got, ok := errors.AsType[*fault.Error](err)
			if !ok || got.Kind != fault.Invalid || got.Field != field || !strings.Contains(got.Message, text) {
				t.Errorf("%s %+v: %v, want %s: %s", call, c, err, field, text)
			}
		}
		if s, ok := r.Lookup("a.example"); !ok || held(s) != heldDefault+ownDefault {
			t.Errorf("%+v changed the site to %+v", c, s)
		}
		if _, ok := r.Lookup("b.example"); ok {
			t.Errorf("%+v made a site", c)
		}
	}
	f(site.Change{AddressMask: new(7)}, "address_mask", "is 7, and must be between 1 ")
	f(site.Change{AddressMask: new(0)}, "address_mask", "between 1 ")
	f(site.Change{AddressMask: new(-1)}, "address_mask", "between 1 ")
	f(site.Change{AddressMask: new(5)}, "address_mask", "and 4 ")
	f(site.Change{HashAddress: new("")}, "hash_address", "full or masked")
	f(site.Change{HashAddress: new("Full")}, "hash_address", "full or masked")
	f(site.Change{HashAddress: new("off")}, "hash_address", `is "off", and must be full or masked`)
	f(site.Change{GeoFrom: new("full")}, "geo_from", `is "full", and must be cut, masked or off`)
	f(site.Change{GeoFrom: new("")}, "geo_from", "cut, masked or off")
	f(site.Change{Redact: &[]site.Rule{{Field: "path", Match: "(", As: "x"}}}, "redact[0].match", "")
	f(site.Change{Redact: &[]site.Rule{customers()[0], {Field: "path", Match: "a**", As: "x"}}}, "redact[1].match", "")
	f(site.Change{Redact: &[]site.Rule{{Field: "city", Match: "a", As: "x"}}}, "redact[0].field", "")
	f(site.Change{AddressMask: new(3), Timezone: new("Europe/Bärlin")}, "timezone", "is not a time zone")
	f(site.Change{AddressMask: new(3), RetentionDays: new(0)}, "retention_days", "between 1 and 3650")
	badSettings(f)
	if _, err := r.Set(t.Context(), "a.example", site.Change{RedactWas: &[]site.Rule{}}); fault.KindOf(err) != fault.Invalid {
		t.Errorf("Set with nothing but RedactWas: %v", err)
	}
}

// Whoever writes into the database by hand learns at the start what is wrong and where, and a running server goes on with what it has.
func TestReload_bad(t *testing.T) {
	f := func(statement, want string) {
		t.Helper()
		path := filepath.Join(t.TempDir(), "s.db")
		db := openDB(t, path)
		r, err := site.NewRegistry(t.Context(), db, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		for _, domain := range []string{"a.example", "b.example"} {
			if _, err := r.Create(t.Context(), domain, site.Change{Timezone: new("UTC"), RetentionDays: new(30), Redact: new(customers())}); err != nil {
				t.Fatal(err)
			}
		}
		before, _ := r.Lookup("b.example")
		db.SetMaxOpenConns(1) // the pragma is the connection's
		if _, err := db.ExecContext(t.Context(), "PRAGMA ignore_check_constraints = 1"); err != nil {
			t.Fatal(err)
		}
		if _, err := db.ExecContext(t.Context(), statement+" = (SELECT id FROM sites WHERE domain = 'b.example')"); err != nil {
			t.Fatal(err)
		}
		if err := r.Reload(t.Context()); err == nil || !strings.Contains(err.Error(), "site b.example: "+want) || fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v, want %s", statement, err, want)
		}
		if after, _ := r.Lookup("b.example"); after != before {
			t.Errorf("%s: the site became %+v", statement, after)
		}
		if _, err := site.NewRegistry(t.Context(), openDB(t, path), time.Now); err == nil || !strings.Contains(err.Error(), "site b.example: "+want) {
			t.Errorf("%s: the start says %v, want %s", statement, err, want)
		}
	}
	f("UPDATE sites SET address_mask = 7 WHERE id", "address_mask: is 7, and must be between 1 ")
	f("UPDATE sites SET address_mask = 2.5 WHERE id", "address_mask: is 2.5, and must be between 1 ")
	f("UPDATE sites SET address_mask = 'two' WHERE id", "address_mask: is two, and must be between 1 ")
	f("UPDATE sites SET hash_address = 'half' WHERE id", `hash_address: is "half", and must be full or masked`)
	f("UPDATE sites SET geo_from = 'on' WHERE id", `geo_from: is "on", and must be cut, masked or off`)
	badStored(f)
	f("UPDATE site_redactions SET match = '(' WHERE site_id", "redact[0].match: ")
	f("UPDATE site_redactions SET field = 'city' WHERE site_id", "redact[0].field: ")
	f("UPDATE site_zones SET zone = 'Mars' WHERE site_id", `timezone: "Mars" is not a time zone`)
}

// The database itself refuses what is not allowed.
func TestMigration_checks(t *testing.T) {
	db := openDB(t, filepath.Join(t.TempDir(), "s.db"))
	f := func(column, value string, ok bool) {
		t.Helper()
		_, err := db.ExecContext(t.Context(), "INSERT INTO sites (domain, retention_days, created_at, "+column+") VALUES (hex(randomblob(8)), 1, 1, "+value+")")
		if (err == nil) != ok {
			t.Errorf("%s = %s: %v", column, value, err)
		}
	}
	f("address_mask", "1", true)
	f("address_mask", "4", true)
	f("address_mask", "0", false)
	f("address_mask", "5", false)
	f("address_mask", "2.5", false)
	f("address_mask", "NULL", false)
	f("hash_address", "\"masked\"", true)
	f("hash_address", "\"Masked\"", false)
	f("geo_from", "\"off\"", true)
	f("geo_from", "\"full\"", false)
	badColumns(f)
}

// A database of the first release keeps its sites, with the defaults; the rules of a site go with it.
func TestMigration(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	old, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	files, err := fs.Sub(migrations.Settings, "settings")
	if err != nil {
		t.Fatal(err)
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, old, files)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := provider.UpTo(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if _, err := old.ExecContext(t.Context(), `INSERT INTO sites (domain, retention_days, created_at) VALUES ('a.example', 60, 1795348800), ('b.example', 396, 1795348801);
		INSERT INTO site_zones VALUES (1, 0, 'Europe/Berlin'), (1, 1795388400, 'UTC'), (2, 0, 'Asia/Kathmandu');
		UPDATE sites SET removed_at = 1795348802 WHERE id = 2`); err != nil {
		t.Fatal(err)
	}
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}

	db := openDB(t, path)
	r, err := site.NewRegistry(t.Context(), db, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	s, ok := r.Lookup("a.example")
	if !ok || s.ID != 1 || s.RetentionDays != 60 || s.Created.Unix() != 1795348800 || privacy(s) != "2 full cut" || s.Preset != site.Default || !s.Visitors || s.Zone(s.Created).String() != "Europe/Berlin" {
		t.Errorf("after the migration: %+v, %v", s, ok)
	}
	if ids, err := r.Removed(t.Context()); err != nil || !cmp.Equal(ids, []uint32{2}) {
		t.Errorf("after the migration %v is to be deleted, %v", ids, err)
	}

	if _, err := r.Set(t.Context(), "a.example", site.Change{Redact: new(customers())}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Remove(t.Context(), "a.example"); err != nil {
		t.Fatal(err)
	}
	if err := r.Forget(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	var rules int
	if err := db.QueryRowContext(t.Context(), `SELECT count(*) FROM site_redactions`).Scan(&rules); err != nil || rules != 0 {
		t.Errorf("%d rules of a site that is gone, %v", rules, err)
	}
}

// Many people change one site while events look it up: every look-up finds settings that some change made together, and no rule is lost.
func TestSet_concurrent(t *testing.T) {
	r := open(t, filepath.Join(t.TempDir(), "s.db"), time.Now)
	if _, err := r.Add(t.Context(), "a.example", "UTC", 396); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Set(t.Context(), "a.example", site.Change{AddressMask: new(1), HashAddress: new("full"), GeoFrom: new("cut")}); err != nil {
		t.Fatal(err)
	}
	const people, rules = 4, 4
	var wg sync.WaitGroup
	ctx, done := context.WithCancel(t.Context())
	lookups := make(chan error, 1)
	go func() {
		defer close(lookups)
		for ctx.Err() == nil {
			s, ok := r.Lookup("a.example")
			if !ok || s.AddressMask == 1 && privacy(s)[:10] != "1 full cut" || s.AddressMask == 4 && privacy(s)[:12] != "4 masked off" {
				lookups <- fmt.Errorf("%+v, %v", s, ok)
				return
			}
		}
	}()
	for i := range people {
		wg.Go(func() {
			for n := range rules {
				mine := site.Rule{Field: "path", Match: fmt.Sprintf("p%dr%d", i, n), As: "{x}"}
				for {
					s, _ := r.Lookup("a.example")
					_, err := r.Set(t.Context(), "a.example", site.Change{Redact: new(append(s.RedactRules[:len(s.RedactRules):len(s.RedactRules)], mine)), RedactWas: &s.RedactRules})
					if err == nil {
						break
					}
					if fault.KindOf(err) != fault.Conflict {
						t.Error(err)
						return
					}
				}
				strict, lax := site.Change{AddressMask: new(4), HashAddress: new("masked"), GeoFrom: new("off")}, site.Change{AddressMask: new(1), HashAddress: new("full"), GeoFrom: new("cut")}
				for _, c := range []site.Change{strict, lax} {
					if _, err := r.Set(t.Context(), "a.example", c); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	done()
	if err := <-lookups; err != nil {
		t.Error(err)
	}
	s, _ := r.Lookup("a.example")
	if len(s.RedactRules) != people*rules {
		t.Errorf("%d rules, want %d", len(s.RedactRules), people*rules)
	}
}

func TestRenumbered(t *testing.T) {
	f := func(maskBefore int, before site.HashAddress, maskAfter int, after site.HashAddress, want bool) {
		t.Helper()
		if got := site.Renumbered(&site.Site{Visitors: true, AddressMask: maskBefore, HashAddress: before}, &site.Site{Visitors: true, AddressMask: maskAfter, HashAddress: after}); got != want {
			t.Errorf("from %d %s to %d %s: %v", maskBefore, before, maskAfter, after, got)
		}
	}
	f(2, site.HashFull, 2, site.HashFull, false)
	f(2, site.HashFull, 3, site.HashFull, false) // the hash does not see the mask
	f(2, site.HashFull, 2, site.HashMasked, true)
	f(2, site.HashMasked, 2, site.HashFull, true)
	f(2, site.HashMasked, 3, site.HashMasked, true)
	f(2, site.HashMasked, 2, site.HashMasked, false)
	if site.Renumbered(&site.Site{AddressMask: 2, HashAddress: site.HashFull}, &site.Site{AddressMask: 3, HashAddress: site.HashMasked}) {
		t.Error("who has no number got another")
	}
}
