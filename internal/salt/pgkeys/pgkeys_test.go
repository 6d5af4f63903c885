package pgkeys_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/daysalt/daysalt/internal/event"
	"github.com/daysalt/daysalt/internal/salt"
	"github.com/daysalt/daysalt/internal/salt/pgkeys"
	"github.com/daysalt/daysalt/internal/testkit"
)

const (
	berlin = "Europe/Berlin"
	today  = event.Day(20779) // 2026-11-22
)

func open(t *testing.T, dsn string) *pgkeys.Keys {
	t.Helper()
	k, err := pgkeys.Open(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	return k
}

func fetch(t *testing.T, k *pgkeys.Keys, zone string, day event.Day) [16]byte {
	t.Helper()
	var key [16]byte
	if err := k.Fetch(within(t), zone, day, &key); err != nil {
		t.Fatal(err)
	}
	if key == [16]byte{} {
		t.Fatal("no key and no error")
	}
	return key
}

// within gives one call of a test all the time that it can need on a busy machine.
func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// admin runs statements as the superuser.
func admin(t *testing.T, dsn string, statements ...string) {
	t.Helper()
	conn, err := pgx.Connect(within(t), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	for _, statement := range statements {
		if _, err := conn.Exec(within(t), statement); err != nil {
			t.Fatal(err)
		}
	}
}

// tables lists the tables that begin like ours.
func tables(t *testing.T, dsn string) []string {
	t.Helper()
	conn, err := pgx.Connect(within(t), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	rows, err := conn.Query(within(t), "SELECT relname || ' ' || relpersistence::text FROM pg_class WHERE relkind = 'r' AND relname LIKE 'daysalt%' ORDER BY 1")
	if err != nil {
		t.Fatal(err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestFetch_oneKeyForAllNodes(t *testing.T) {
	t.Parallel()
	dsn, _ := testkit.Postgres(t)
	nodes := []*pgkeys.Keys{open(t, dsn), open(t, dsn)}
	type asked struct {
		zone string
		day  event.Day
	}
	questions := []asked{{berlin, today}, {berlin, today + 1}, {"Etc/GMT+12", today}, {"America/Port-au-Prince", today}}
	var (
		mu   sync.Mutex
		keys = map[asked]map[[16]byte]int{}
		wg   sync.WaitGroup
	)
	ctx := within(t)
	for i := range 20 * len(questions) {
		wg.Go(func() {
			q := questions[i%len(questions)]
			var key [16]byte
			if err := nodes[i/len(questions)%2].Fetch(ctx, q.zone, q.day, &key); err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			if keys[q] == nil {
				keys[q] = map[[16]byte]int{}
			}
			keys[q][key]++
		})
	}
	wg.Wait()
	all := map[[16]byte]bool{}
	for _, q := range questions {
		if len(keys[q]) != 1 {
			t.Errorf("%v: %d keys", q, len(keys[q]))
		}
		for key, n := range keys[q] {
			all[key] = true
			if n != 20 || key == [16]byte{} {
				t.Errorf("%v: %d of 20 have key, zero: %v", q, n, key == [16]byte{})
			}
		}
	}
	if len(all) != len(questions) {
		t.Errorf("%d different keys for %d dates and zones", len(all), len(questions))
	}
	want := []string{
		"daysalt_key_2026-11-22_America/Port-au-Prince u", "daysalt_key_2026-11-22_Etc/GMT+12 u", "daysalt_key_2026-11-22_Europe/Berlin u",
		"daysalt_key_2026-11-23_Europe/Berlin u",
	}
	if diff := cmp.Diff(want, tables(t, dsn)); diff != "" {
		t.Error(diff)
	}
}

func TestDrop(t *testing.T) {
	t.Parallel()
	dsn, _ := testkit.Postgres(t)
	one, other := open(t, dsn), open(t, dsn)
	for day := today - 2; day <= today+1; day++ {
		fetch(t, one, berlin, day)
	}
	kept := fetch(t, one, "Etc/UTC", today)
	later := fetch(t, one, berlin, today+1)
	if err := one.Drop(within(t), berlin, today); err != nil {
		t.Fatal(err)
	}
	f := func(zone string, day event.Day) {
		t.Helper()
		key := [16]byte{1}
		if err := other.Fetch(within(t), zone, day, &key); !errors.Is(err, salt.ErrOver) {
			t.Errorf("day %d: got %v, want ErrOver", day, err)
		}
		if key != [16]byte{} {
			t.Error("an error came with a key")
		}
	}
	f(berlin, today)
	f(berlin, today-1)
	f(berlin, 0)
	if fetch(t, other, berlin, today+1) != later {
		t.Error("the next day's key went with it")
	}
	if fetch(t, other, "Etc/UTC", today) != kept {
		t.Error("another zone's key went with it")
	}
	// Twice, a date without a key, and an earlier one, which must not bring a later one back.
	for _, day := range []event.Day{today, today + 1, today - 5} {
		if err := other.Drop(within(t), berlin, day); err != nil {
			t.Error(err)
		}
	}
	if err := other.Drop(within(t), "Asia/Kathmandu", today); err != nil {
		t.Error(err)
	}
	f(berlin, today+1)
	f("Asia/Kathmandu", today)
	if diff := cmp.Diff([]string{"daysalt_key_2026-11-22_Etc/UTC u", "daysalt_key_days p"}, tables(t, dsn)); diff != "" {
		t.Error(diff)
	}
}

// Nodes that destroy and fetch at the same time end without a key for a date that is over.
func TestDrop_race(t *testing.T) {
	t.Parallel()
	dsn, _ := testkit.Postgres(t)
	nodes := []*pgkeys.Keys{open(t, dsn), open(t, dsn)}
	zones := []string{berlin, "Asia/Kathmandu", "Etc/GMT+12"} // the first Drop in each makes the table of the dates that are over
	ctx := within(t)
	var wg sync.WaitGroup
	for i := range 24 {
		wg.Go(func() {
			var key [16]byte
			if err := nodes[i%2].Fetch(ctx, zones[i%3], today-event.Day(i%2), &key); err != nil && !errors.Is(err, salt.ErrOver) {
				t.Error(err)
			}
		})
		wg.Go(func() {
			if err := nodes[i%2].Drop(ctx, zones[i%3], today); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if diff := cmp.Diff([]string{"daysalt_key_days p"}, tables(t, dsn)); diff != "" {
		t.Error(diff)
	}
}

func TestTidy(t *testing.T) {
	t.Parallel()
	dsn, _ := testkit.Postgres(t)
	k := open(t, dsn)
	if err := k.Tidy(within(t), func(string, event.Day) bool { return true }); err != nil {
		t.Errorf("an empty database: %v", err)
	}
	others := []string{
		"daysalt_key_2026-11-21", "daysalt_key_2026-11-21_", "daysalt_key_2026-11-31_Europe/Berlin", "daysalt_key_2026-11-21_Europe/Berlin (copy)", "daysalt_key_1969-12-31_UTC",
		"daysalt_key_2526-11-21_UTC", "daysalt_keys_2026-11-21_UTC", "my_daysalt_key_2026-11-21_UTC",
	}
	for _, name := range others {
		admin(t, dsn, "CREATE TABLE "+pgx.Identifier{name}.Sanitize()+" (secret bytea)")
	}
	admin(t, dsn, `CREATE SCHEMA other`, `CREATE TABLE other."daysalt_key_2026-11-21_UTC" (secret bytea)`)
	before := tables(t, dsn)
	for _, zone := range []string{berlin, "Etc/GMT-14"} {
		for day := today - 3; day <= today; day++ {
			fetch(t, k, zone, day)
		}
	}
	asked := map[string]bool{}
	err := k.Tidy(within(t), func(zone string, day event.Day) bool {
		asked[fmt.Sprint(zone, " ", day-today+10)] = true
		return zone == berlin && day < today || zone == "Etc/GMT-14" && day <= today
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(asked) != 8 {
		t.Errorf("it was asked about %v", asked)
	}
	want := slices.Sorted(slices.Values(append(before, "daysalt_key_2026-11-22_Europe/Berlin u", "daysalt_key_days p")))
	if diff := cmp.Diff(want, slices.Sorted(slices.Values(tables(t, dsn)))); diff != "" {
		t.Error(diff)
	}
	var key [16]byte
	if err := k.Fetch(within(t), "Etc/GMT-14", today, &key); !errors.Is(err, salt.ErrOver) {
		t.Errorf("a date that was tidied away: %v", err)
	}
}

// A crash of the database empties the tables, and nobody may take that for a key.
func TestFetch_afterCrash(t *testing.T) {
	t.Parallel()
	server := testkit.StartPostgres(t)
	one, other := open(t, server.DSN), open(t, server.DSN)
	before := fetch(t, one, berlin, today)
	if err := one.Drop(within(t), berlin, today-1); err != nil {
		t.Fatal(err)
	}
	admin(t, server.DSN, "CHECKPOINT") // fsync is off, but a kill loses nothing that was written
	server.Kill(t)
	server.Start(t)
	if diff := cmp.Diff([]string{"daysalt_key_2026-11-22_Europe/Berlin u", "daysalt_key_days p"}, tables(t, server.DSN)); diff != "" {
		t.Fatal(diff)
	}
	after := fetch(t, other, berlin, today)
	if after == before {
		t.Error("the crash did not empty the table: this test shows nothing")
	}
	if fetch(t, one, berlin, today) != after {
		t.Error("two keys after the crash")
	}
	var key [16]byte
	if err := one.Fetch(within(t), berlin, today-1, &key); !errors.Is(err, salt.ErrOver) {
		t.Errorf("what was over before the crash: %v", err)
	}
}

// A clean restart keeps the keys.
func TestFetch_afterRestart(t *testing.T) {
	t.Parallel()
	server := testkit.StartPostgres(t)
	k := open(t, server.DSN)
	before := fetch(t, k, berlin, today)
	server.Stop(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	key := [16]byte{1}
	if err := k.Fetch(ctx, berlin, today, &key); err == nil || key != [16]byte{} {
		t.Errorf("without a database: %v, key is zero: %v", err, key == [16]byte{})
	}
	server.Start(t)
	if fetch(t, k, berlin, today) != before {
		t.Error("another key after a restart")
	}
}

func TestFetch_badName(t *testing.T) {
	t.Parallel()
	k := open(t, "postgres://127.0.0.1:1/none") // never asked
	f := func(zone, want string) {
		t.Helper()
		var key [16]byte
		for _, err := range []error{k.Fetch(t.Context(), zone, today, &key), k.Drop(t.Context(), zone, today)} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%q: got %v, want %q", zone, err, want)
			}
		}
	}
	f("", "time zone")
	f(`Europe/"; DROP TABLE x; --`, "time zone")
	f("Europe/Zürich", "time zone")
	f("Europe/Berlin\x00", "time zone")
	f(strings.Repeat("x", 41), "at most 40")
	f(strings.Repeat("x", 40), "connect") // goes on to the database
}
