package site_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daysalt/daysalt/internal/fault"
	"github.com/daysalt/daysalt/internal/site"
)

// held is what holds for a site, as one line, and after a bar what was set where a preset may ask for more.
func held(s *site.Site) string {
	return fmt.Sprintf("%s %dd %d %s %s visitors=%t %s host=%t versions=%t screen=%t city=%t %s%v %s min=%d dnt=%t %s%s | %dd %d %s %s city=%t min=%d",
		s.Preset, s.RetentionDays, s.AddressMask, s.HashAddress, s.GeoFrom, s.Visitors, s.TimeStep, s.ReferrerHost, s.Versions, s.Screen, s.City,
		s.Props, s.AllowProps, s.Campaigns, s.MinVisitors, s.DNT, s.BrandName, s.BrandColor,
		s.Own.RetentionDays, s.Own.AddressMask, s.Own.HashAddress, s.Own.GeoFrom, s.Own.City, s.Own.MinVisitors)
}

const (
	heldDefault = "default 396d 2 full cut visitors=true 1s host=false versions=true screen=true city=false redacted[] redacted min=0 dnt=false "
	ownDefault  = " | 396d 2 full cut city=false min=0"
)

// Each setting alone, several at once, and none: what is not named stays, and another process reads the same.
func TestSet_settings(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	r := open(t, path, time.Now)
	for _, domain := range []string{"a.example", "other.example"} {
		if _, err := r.Add(t.Context(), domain, "UTC", 396); err != nil {
			t.Fatal(err)
		}
	}
	f := func(c site.Change, want string) {
		t.Helper()
		s, err := r.Set(t.Context(), "a.example", c)
		if err != nil {
			t.Errorf("%+v: %v", c, err)
			return
		}
		again, _ := open(t, path, time.Now).Lookup("a.example")
		for where, s := range map[string]*site.Site{"the answer": s, "another process": again} {
			if diff := cmp.Diff(want, held(s)); diff != "" {
				t.Errorf("%+v, %s: %s", c, where, diff)
			}
		}
		if s, ok := r.Lookup("other.example"); !ok || held(s) != heldDefault+ownDefault {
			t.Errorf("%+v changed another site: %s", c, held(s))
		}
	}
	const head = "default 396d 2 full cut visitors=true 1s host=false versions=true screen=true city="
	f(site.Change{Preset: new("default")}, heldDefault+ownDefault)
	f(site.Change{City: new(true)}, head+"true redacted[] redacted min=0 dnt=false  | 396d 2 full cut city=true min=0")
	f(site.Change{DNT: new(true)}, head+"true redacted[] redacted min=0 dnt=true  | 396d 2 full cut city=true min=0")
	f(site.Change{AllowProps: &[]string{"plan", "Größe <m>"}}, head+"true redacted[plan Größe <m>] redacted min=0 dnt=true  | 396d 2 full cut city=true min=0")
	f(site.Change{MinVisitors: new(1000)}, head+"true redacted[plan Größe <m>] redacted min=1000 dnt=true  | 396d 2 full cut city=true min=1000")
	f(site.Change{BrandName: new("  Müller & Söhne ")}, head+"true redacted[plan Größe <m>] redacted min=1000 dnt=true Müller & Söhne | 396d 2 full cut city=true min=1000")
	f(site.Change{BrandColor: new("#1A5fB4")}, head+"true redacted[plan Größe <m>] redacted min=1000 dnt=true Müller & Söhne#1a5fb4 | 396d 2 full cut city=true min=1000")
	f(site.Change{City: new(false), DNT: new(false), AllowProps: &[]string{}, MinVisitors: new(0), BrandName: new(" "), BrandColor: new("")}, heldDefault+ownDefault)

	f(site.Change{AllowProps: new([]string(nil))}, heldDefault+ownDefault)

	// A preset changes what holds and nothing of what is set, and what is set under it holds where it is the stricter.
	f(site.Change{Preset: new("masked"), City: new(true)},
		"masked 396d 2 masked masked visitors=true 1s host=false versions=true screen=true city=true redacted[] redacted min=0 dnt=false  | 396d 2 full cut city=true min=0")
	f(site.Change{Preset: new("strict"), AllowProps: &[]string{"plan"}},
		"strict 31d 4 masked off visitors=false 1h0m0s host=true versions=false screen=false city=false none[plan] none min=10 dnt=false  | 396d 2 full cut city=true min=0")
	f(site.Change{Preset: new("cnil"), RetentionDays: new(3650), AddressMask: new(1)},
		"cnil 759d 2 masked masked visitors=true 1m0s host=true versions=true screen=false city=false listed[plan] masked min=10 dnt=false  | 3650d 1 full cut city=true min=0")
	f(site.Change{RetentionDays: new(758), AddressMask: new(3), HashAddress: new("masked"), GeoFrom: new("off"), MinVisitors: new(11)},
		"cnil 758d 3 masked off visitors=true 1m0s host=true versions=true screen=false city=false listed[plan] masked min=11 dnt=false  | 758d 3 masked off city=true min=11")
	f(site.Change{Preset: new("default")}, "default 758d 3 masked off visitors=true 1s host=false versions=true screen=true city=true redacted[plan] redacted min=11 dnt=false  | 758d 3 masked off city=true min=11")
}

func TestCreate_settings(t *testing.T) {
	r := open(t, filepath.Join(t.TempDir(), "s.db"), time.Now)
	s, err := r.Create(t.Context(), "a.example", site.Change{
		Timezone: new("UTC"), RetentionDays: new(1000), Preset: new("cnil"), City: new(true), DNT: new(true), AllowProps: &[]string{"plan"}, MinVisitors: new(3),
		BrandName: new(strings.Repeat("ü", 60)), BrandColor: new("#FFFFFF"),
	})
	const want = "cnil 759d 2 masked masked visitors=true 1m0s host=true versions=true screen=false city=false listed[plan] masked min=10 dnt=true "
	if err != nil || held(s) != want+strings.Repeat("ü", 60)+"#ffffff | 1000d 2 full cut city=true min=3" {
		t.Errorf("%s, %v", held(s), err)
	}
	names := make([]string, 50)
	for i := range names {
		names[i] = fmt.Sprintf("%0300d", i)
	}
	s, err = r.Set(t.Context(), "a.example", site.Change{AllowProps: &names})
	if err != nil || !slices.Equal(s.AllowProps, names) {
		t.Errorf("%d names, %v", len(s.AllowProps), err)
	}
}

// What is given stays the caller's.
func TestSet_givenStays(t *testing.T) {
	r := open(t, filepath.Join(t.TempDir(), "s.db"), time.Now)
	name, color := " A ", "#AABBCC"
	_, err := r.Create(t.Context(), "a.example", site.Change{Timezone: new("UTC"), RetentionDays: new(1), BrandName: &name, BrandColor: &color})
	if err != nil || name != " A " || color != "#AABBCC" {
		t.Errorf("%q, %q, %v", name, color, err)
	}
}

func TestOwnHost(t *testing.T) {
	r := open(t, filepath.Join(t.TempDir(), "s.db"), time.Now)
	for _, domain := range []string{"example.com", "bücher.example", "shop.example.org"} {
		if _, err := r.Add(t.Context(), domain, "UTC", 396); err != nil {
			t.Fatal(err)
		}
	}
	f := func(domain, host string, want bool) {
		t.Helper()
		s, err := r.Get(domain)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.OwnHost(host); got != want {
			t.Errorf("%q is %s's own: %v", host, domain, got)
		}
	}
	f("example.com", "example.com", true)
	f("example.com", "www.example.com", true)
	f("example.com", "WWW.Example.COM", true)
	f("example.com", "example.com.", true)
	f("example.com", "a.b.example.com", true)
	f("example.com", "a_b.example.com", true)
	f("example.com", "büro.example.com", true)
	f("bücher.example", "bücher.example", true)
	f("bücher.example", "BÜCHER.example", true)
	f("bücher.example", "xn--bcher-kva.example", true)
	f("bücher.example", "www.xn--bcher-kva.example", true)
	f("shop.example.org", "www.shop.example.org", true)

	f("shop.example.org", "example.org", false)
	f("shop.example.org", "www.example.org", false)
	f("bücher.example", "bucher.example", false)
	f("example.com", "", false)
	f("example.com", ".", false)
	f("example.com", "com", false)
	f("example.com", "evilexample.com", false)
	f("example.com", "example.com.evil.example", false)
	f("example.com", "example.org", false)
	f("example.com", "example.com:443", false)
	f("example.com", "evil.example/.example.com", false)
	f("example.com", `evil.example\.example.com`, false)
	f("example.com", "evil.example?.example.com", false)
	f("example.com", "evil.example#.example.com", false)
	f("example.com", "evil.example@www.example.com", false)
	f("example.com", " .example.com", false)
	f("example.com", ".example.com", false)
	f("example.com", "a..example.com", false)
	f("example.com", "example.com..", false)
	f("example.com", "evil.example\x00.example.com", false)
	f("example.com", "\xff.example.com", false)
	f("example.com", "evil.example。example.com.evil.example", false)
}

// The new settings are refused as the others are: TestPrivacy_bad says how.
func badSettings(f func(c site.Change, field, text string)) {
	f(site.Change{Preset: new("lax")}, "preset", `is "lax", and must be default, masked, cnil or strict`)
	f(site.Change{Preset: new("")}, "preset", "default, masked, cnil or strict")
	f(site.Change{Preset: new("CNIL")}, "preset", "default, masked, cnil or strict")
	f(site.Change{MinVisitors: new(-1)}, "min_visitors", "is -1, and must be between 0 ")
	f(site.Change{MinVisitors: new(1001)}, "min_visitors", "and 1000")
	f(site.Change{AllowProps: &[]string{"a", ""}}, "allow_props", "has 0 bytes in name 2, and must have 1 to 300")
	f(site.Change{AllowProps: &[]string{strings.Repeat("a", 301)}}, "allow_props", "has 301 bytes in name 1, and must have 1 to 300")
	f(site.Change{AllowProps: &[]string{"a,b"}}, "allow_props", "without a comma")
	f(site.Change{AllowProps: &[]string{"a\xff"}}, "allow_props", "UTF-8")
	f(site.Change{AllowProps: &[]string{"a", "b", "a"}}, "allow_props", `has "a" twice`)
	f(site.Change{AllowProps: new(strings.Split(strings.Repeat("a,", 50)+"a", ","))}, "allow_props", "has 51 names, and must have at most 50")
	f(site.Change{BrandName: new(strings.Repeat("ü", 61))}, "brand_name", "has 61 characters, and must have at most 60")
	f(site.Change{BrandName: new("a\nb")}, "brand_name", "without control characters")
	f(site.Change{BrandName: new("a\u009bb")}, "brand_name", "without control characters")
	f(site.Change{BrandName: new("a\xff")}, "brand_name", "UTF-8")
	for _, color := range []string{"red", "#fff", "#1a5fb", "#1a5fb42", "1a5fb4", "#1a5fbg", "##1a5fb", "#1a5fb4;", "#", "# 1a5fb"} {
		f(site.Change{BrandColor: &color}, "brand_color", "must be #rrggbb such as #1a5fb4")
	}
	f(site.Change{BrandColor: new("blue")}, "brand_color", "any colour will do")
	f(site.Change{Preset: new("strict"), RetentionDays: new(-1)}, "retention_days", "is -1, and must be between 1 and 3650")
	f(site.Change{DNT: new(true), City: new(true), MinVisitors: new(1001)}, "min_visitors", "")
}

// badStored are statements that put a value there that is not allowed, up to the id of the site: TestReload_bad says what comes of it.
func badStored(f func(statement, want string)) {
	f("UPDATE sites SET preset = 'lax' WHERE id", `preset: is "lax", and must be default, masked, cnil or strict`)
	f("UPDATE sites SET preset = 2 WHERE id", `preset: is "2"`)
	f("UPDATE sites SET retention_days = 0 WHERE id", "retention_days: is 0, and must be between 1 and 3650")
	f("UPDATE sites SET retention_days = 70000 WHERE id", "retention_days: is 70000, ")
	f("UPDATE sites SET retention_days = 'long' WHERE id", "retention_days: is long, ")
	f("UPDATE sites SET city = 2 WHERE id", "city: is 2, and must be 0 or 1")
	f("UPDATE sites SET city = 'yes' WHERE id", "city: is yes, and must be 0 or 1")
	f("UPDATE sites SET dnt = -1 WHERE id", "dnt: is -1, and must be 0 or 1")
	f("UPDATE sites SET allow_props = 'plan' WHERE id", "allow_props: is no JSON list of names")
	f("UPDATE sites SET allow_props = 'null' WHERE id", "allow_props: is no JSON list of names")
	f("UPDATE sites SET allow_props = '[1]' WHERE id", "allow_props: is no JSON list of names")
	f(`UPDATE sites SET allow_props = '["plan","plan"]' WHERE id`, `allow_props: has "plan" twice`)
	f(`UPDATE sites SET allow_props = '["a,b"]' WHERE id`, "allow_props: ")
	f("UPDATE sites SET min_visitors = 1001 WHERE id", "min_visitors: is 1001, ")
	f("UPDATE sites SET min_visitors = 2.5 WHERE id", "min_visitors: is 2.5, ")
	f("UPDATE sites SET brand_name = 'a' || char(10) || 'b' WHERE id", "brand_name: ")
	f("UPDATE sites SET brand_color = 'red' WHERE id", "brand_color: ")
}

// badColumns are values of single columns: TestMigration_checks says whether the database takes them.
func badColumns(f func(column, value string, ok bool)) {
	for _, name := range []string{"default", "masked", "cnil", "strict"} {
		f("preset", "'"+name+"'", true)
	}
	f("preset", "'lax'", false)
	f("preset", "NULL", false)
	for _, column := range []string{"city", "dnt"} {
		f(column, "0", true)
		f(column, "1", true)
		f(column, "2", false)
		f(column, "0.5", false)
		f(column, "NULL", false)
	}
	f("allow_props", `'["plan"]'`, true)
	f("allow_props", `'{"plan":1}'`, false)
	f("allow_props", "'plan'", false)
	f("allow_props", "'["+strings.Repeat("1,", 50)+"1]'", false)
	f("min_visitors", "0", true)
	f("min_visitors", "1000", true)
	f("min_visitors", "1001", false)
	f("min_visitors", "-1", false)
	f("min_visitors", "2.5", false)
	f("brand_name", "'"+strings.Repeat("ü", 60)+"'", true)
	f("brand_name", "'"+strings.Repeat("ü", 61)+"'", false)
	f("brand_color", "'#0f9abc'", true)
	f("brand_color", "'#0F9ABC'", false)
	f("brand_color", "'#0f9ab'", false)
	f("brand_color", "'red'", false)
}

// A preset gives new numbers where what it makes hold does, whatever else it changes.
func TestRenumbered_preset(t *testing.T) {
	r := open(t, filepath.Join(t.TempDir(), "s.db"), time.Now)
	if _, err := r.Add(t.Context(), "a.example", "UTC", 396); err != nil {
		t.Fatal(err)
	}
	f := func(from, to site.Change, want bool) {
		t.Helper()
		before, err := r.Set(t.Context(), "a.example", from)
		if err != nil {
			t.Fatal(err)
		}
		after, err := r.Set(t.Context(), "a.example", to)
		if err != nil {
			t.Fatal(err)
		}
		if got := site.Renumbered(before, after); got != want {
			t.Errorf("from %s to %s: %v", held(before), held(after), got)
		}
	}
	own := func(preset string, mask int, hash string) site.Change {
		return site.Change{Preset: &preset, AddressMask: &mask, HashAddress: &hash}
	}
	preset := func(name string) site.Change { return site.Change{Preset: &name} }
	f(own("default", 2, "full"), preset("masked"), true)
	f(own("masked", 2, "full"), preset("default"), true)
	f(own("default", 2, "full"), preset("strict"), true)
	f(own("strict", 2, "full"), preset("default"), true)
	f(own("strict", 4, "masked"), preset("masked"), true)
	f(own("default", 4, "masked"), preset("strict"), true)
	f(own("masked", 2, "full"), preset("cnil"), false)
	f(own("default", 2, "masked"), preset("masked"), false)
	f(own("default", 1, "masked"), preset("masked"), true) // the mask becomes 2
	f(own("masked", 1, "full"), own("masked", 2, "masked"), false)
	f(own("masked", 2, "full"), own("masked", 3, "full"), true)
	f(own("strict", 1, "full"), own("strict", 3, "masked"), false) // nobody has one
	f(own("default", 2, "full"), site.Change{City: new(true), DNT: new(true), MinVisitors: new(3)}, false)
	if _, err := r.Set(t.Context(), "a.example", preset("none")); fault.KindOf(err) != fault.Invalid {
		t.Error(err)
	}
}
