package store_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daysalt/daysalt/internal/event"
	"github.com/daysalt/daysalt/internal/fault"
	"github.com/daysalt/daysalt/internal/store"
)

// holding returns the files below dir that have these bytes.
func holding(t *testing.T, dir string, text []byte) (names []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if os.IsNotExist(err) || err == nil && !e.Type().IsRegular() {
			return nil // The engine removes files of its own.
		}
		if err != nil {
			return err
		}
		b, err := os.ReadFile(path)
		if bytes.Contains(b, text) {
			names = append(names, path)
		}
		if os.IsNotExist(err) {
			return nil
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// plainRow returns a row that differs from others of its site by n.
func plainRow(site uint32, day event.Day, n int, path string) event.Row {
	at := int64(day)*86_400 + int64(n%80_000)
	return event.Row{
		Event:      event.Event{SiteID: site, Day: day, Time: at, Visitor: uint64(n + 1), Path: path, Name: "pageview", RetentionDays: 3650},
		VisitStart: at, EntryPage: path,
	}
}

// A token that was stored is dropped when it is sent again, also when all of its rows were deleted, alone in a part, merged before or merged afterwards.
func TestDeleteRows_tokensStay(t *testing.T) {
	s := open(t)
	const day = 20_700
	for i := range 3 {
		insert(t, s, fmt.Sprint("gone ", i), plainRow(1, day, i, "/gone"))
	}
	ask(t, s, "OPTIMIZE TABLE events FINAL", nil)
	insert(t, s, "alone", plainRow(1, day+40, 7, "/gone"))
	insert(t, s, "both", plainRow(1, day, 8, "/gone"), plainRow(2, day, 8, "/stays"))
	again := func(when string) {
		t.Helper()
		for i := range 3 {
			insert(t, s, fmt.Sprint("gone ", i), plainRow(1, day, i, "/gone"))
		}
		insert(t, s, "alone", plainRow(1, day+40, 7, "/gone"))
		insert(t, s, "both", plainRow(1, day, 8, "/gone"), plainRow(2, day, 8, "/stays"))
		if got := ask(t, s, "SELECT path FROM events", nil); !cmp.Equal(got, []string{"/stays"}) {
			t.Errorf("%s: %q", when, got)
		}
	}
	if err := s.RemoveSite(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	again("at once")
	time.Sleep(2 * time.Second) // A table looks every second for parts without rows.
	ask(t, s, "SYSTEM START CLEANUP events", nil)
	again("later")
	ask(t, s, "OPTIMIZE TABLE events FINAL", nil)
	again("merged")
}

// What is deleted is in no file when RemoveSite returns: not in the parts that were rewritten, nor in those that were merged before, nor in the text of the statement.
func TestErase_leavesNoBytes(t *testing.T) {
	dir := t.TempDir()
	s, kill := server(t, dir)
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	marker := func(name string) string { return "/mark-" + name + "-q7Xz9LkPv3Wn5Rt" }
	const day = 20_700
	for i, name := range []string{"path", "prefix", "site", "before", "stays"} {
		site := uint32(1 + i)
		insert(t, s, name, plainRow(site, day, 1, marker(name)), plainRow(site, day, 2, "/other"))
		insert(t, s, name+" 2", plainRow(site, day, 3, "/more"))
	}
	ask(t, s, "OPTIMIZE TABLE events FINAL", nil) // The parts of before wait to be removed.
	for _, name := range []string{"path", "prefix", "site", "before", "stays"} {
		if len(holding(t, dir, []byte(marker(name)))) == 0 {
			t.Fatalf("%s is not visible in the files: nobody would see it stay", name)
		}
	}
	erase := func(e store.Erasure) {
		t.Helper()
		if done, err := s.Erase(t.Context(), &e, time.Now().Unix()); err != nil || done.Events == 0 || done.Left > 0 || done.Since > 0 {
			t.Errorf("%+v, %v", done, err)
		}
	}
	gone := func(name string) {
		t.Helper()
		if names := holding(t, dir, []byte(marker(name))); len(names) > 0 {
			t.Errorf("%s is still in %q", name, names)
		}
	}
	erase(store.Erasure{SiteID: 1, Path: marker("path")})
	gone("path")
	erase(store.Erasure{SiteID: 2, Path: marker("prefix")[:20], Prefix: true})
	gone("prefix")
	if err := s.RemoveSite(t.Context(), 3); err != nil {
		t.Fatal(err)
	}
	gone("site")
	erase(store.Erasure{SiteID: 4, Before: day + 1})
	gone("before")
	if len(holding(t, dir, []byte(marker("stays")))) == 0 {
		t.Error("what nobody erased is gone")
	}
	if got := ask(t, s, "SELECT toString(count()) FROM events", nil); got[0] != "7" {
		t.Errorf("%s rows are left", got)
	}
	// A crash right after it brings nothing back.
	kill()
	s, killAgain := server(t, dir)
	defer killAgain()
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := ask(t, s, "SELECT toString(count()) FROM events", nil); got[0] != "7" {
		t.Errorf("%s rows after a crash", got)
	}
	for _, name := range []string{"path", "prefix", "site", "before"} {
		gone(name)
	}
}

// Where nothing is to be deleted nothing is rewritten, and what an attempt before left half done is finished.
func TestDeleteRows_interrupted(t *testing.T) {
	s := open(t)
	const day = 20_700
	insert(t, s, "one", plainRow(1, day, 1, "/a"), plainRow(2, day, 1, "/b"))
	mutations := func() string {
		return ask(t, s, "SELECT toString(count()) FROM system.mutations WHERE database = currentDatabase()", nil)[0]
	}
	if err := s.RemoveSite(t.Context(), 9); err != nil || mutations() != "0" {
		t.Errorf("nothing matches: %v, %s mutations", err, mutations())
	}
	ask(t, s, "DELETE FROM events WHERE site_id = 1", nil) // and then it was killed
	if err := s.RemoveSite(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	left := ask(t, s, "SELECT name FROM system.parts WHERE database = currentDatabase() AND table = 'events' AND (NOT active OR has_lightweight_delete OR rows != 1)", nil)
	if len(left) > 0 {
		t.Errorf("left: %q", left)
	}
	if texts := ask(t, s, "SELECT command FROM system.mutations WHERE database = currentDatabase()", nil); len(texts) != 1 || !strings.Contains(texts[0], "APPLY DELETED MASK") {
		t.Errorf("the texts of statements: %q", texts)
	}
	insert(t, s, "two", plainRow(1, day, 1, "/a"))
	ask(t, s, "SYSTEM STOP MERGES events", nil)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := s.RemoveSite(ctx, 1); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("it did not wait: %v", err)
	}
	ask(t, s, "SYSTEM START MERGES events", nil)
	if err := s.RemoveSite(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if got := ask(t, s, "SELECT path FROM events", nil); !cmp.Equal(got, []string{"/b"}) {
		t.Errorf("%q", got)
	}
}

// What the database deletes is what Matches says, whatever is in a path, and nothing else. Entry pages of other rows are changed, and theirs alone.
func TestErase_isWhatMatches(t *testing.T) {
	s := open(t)
	paths := []string{"/", "/a", "/a/b", "/a%", "/a_", `/a\`, `/a\n`, "/a'b", "/a\tb", "/a\nb", "/ä😀", "/{path:String}", "/a*", "", "/A"}
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 1))
	t.Logf("seed %d", seed)
	var rows []event.Row
	for i := range 600 {
		r := plainRow(uint32(1+rng.IntN(2)), event.Day(20_700+rng.IntN(40)), i, paths[rng.IntN(len(paths))])
		r.EntryPage, r.Visitor = paths[rng.IntN(len(paths))], uint64(rng.IntN(4))
		switch rng.IntN(4) {
		case 0:
			r.PropKeys, r.PropValues = []string{"x", "path"}, []string{paths[rng.IntN(len(paths))], paths[rng.IntN(len(paths))]}
		case 1:
			r.PropKeys, r.PropValues = []string{"x"}, []string{paths[rng.IntN(len(paths))]}
		}
		r.Hostname = fmt.Sprint("row", i)
		rows = append(rows, r)
	}
	insert(t, s, "all", rows...)
	var erasures []store.Erasure
	for _, path := range paths {
		if path != "" {
			erasures = append(erasures, store.Erasure{SiteID: 1, Path: path}, store.Erasure{SiteID: 2, Path: path, Prefix: true})
		}
	}
	rng.Shuffle(len(erasures), func(i, j int) { erasures[i], erasures[j] = erasures[j], erasures[i] })
	erasures = append([]store.Erasure{
		{SiteID: 1, Visitor: 2, Day: 20_705}, {SiteID: 2, Before: 20_703}, {SiteID: 1, Day: 20_706}, {SiteID: 1, Path: "/missing"},
	}, erasures[:6]...)
	for _, e := range erasures {
		var want []string
		kept := rows[:0:0]
		var gone, entries uint64
		for _, r := range rows {
			if e.Matches(&r.Event) {
				gone++
				continue
			}
			if e.SiteID == r.SiteID && e.MatchesPage(r.EntryPage) {
				r.EntryPage = store.ErasedPage
				entries++
			}
			kept = append(kept, r)
			want = append(want, r.Hostname+" "+r.EntryPage)
		}
		rows = kept
		done, err := s.Erase(t.Context(), &e, time.Now().Unix())
		if err != nil || done != (store.ErasedRows{Events: gone, Entries: entries}) {
			t.Errorf("%+v: %+v, %v; want %d and %d", e, done, err, gone, entries)
		}
		got := ask(t, s, "SELECT hostname || ' ' || entry_page FROM events ORDER BY toUInt32(substring(hostname, 4))", nil)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%+v: %s", e, diff)
		}
	}
}

// Rows that came meanwhile are told from those that should be gone.
func TestErase_since(t *testing.T) {
	s := open(t)
	const day = 20_700
	insert(t, s, "old", plainRow(1, day, 1, "/a"))
	ask(t, s, "SYSTEM STOP MERGES events", nil)
	done := make(chan error, 1)
	var erased store.ErasedRows
	go func() {
		var err error
		erased, err = s.Erase(t.Context(), &store.Erasure{SiteID: 1, Path: "/a"}, day*86_400+100)
		done <- err
	}()
	for len(ask(t, s, "SELECT mutation_id FROM system.mutations WHERE database = currentDatabase()", nil)) == 0 {
		time.Sleep(20 * time.Millisecond)
	}
	insert(t, s, "new", plainRow(1, day, 100, "/a"), plainRow(1, day, 99, "/a"), plainRow(1, day, 101, "/b"))
	ask(t, s, "SYSTEM START MERGES events", nil)
	if err := <-done; err != nil || erased != (store.ErasedRows{Events: 1, Left: 1, Since: 1}) {
		t.Errorf("%+v, %v", erased, err)
	}
}
