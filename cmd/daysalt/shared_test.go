//go:build testclock

package main

import (
	"context"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/daysalt/daysalt/internal/testkit"
)

// sharedSite is in both nodes' registries, as the first one, so that it has the same number in both.
const sharedSite = "shop.example"

// node is one of several servers that share their keys.
type node struct {
	*process
	name, dir, operators string
	args                 []string
}

func startNode(t *testing.T, name, dsn string) *node {
	t.Helper()
	n := &node{name: name, dir: t.TempDir(), operators: freeAddress(t)}
	siteCommand(t, n.dir, "add", sharedSite)
	n.args = []string{"--salt-storage", "postgres", "--salt-dsn", dsn, "--admin-listen", n.operators, "--log-level", "debug"}
	n.process = serve(t, n.dir, n.args...)
	return n
}

// at sets the node's clock, with the time since boot a minute later, so that what failed is tried again.
func (n *node) at(wall time.Time) {
	n.t.Helper()
	n.setClock(n.dir, wall, time.Minute)
}

// visit posts a page of the one visitor there is. The page tells which node took it.
func (n *node) visit(page string) {
	n.t.Helper()
	n.post(sharedSite, "/"+n.name+"/"+page)
}

// metric reads one of the node's.
func (n *node) metric(name string) int {
	n.t.Helper()
	client := newClient()
	defer client.CloseIdleConnections()
	got, err := call(client, "GET", "http://"+n.operators+"/metrics", "")
	if err != nil || got.status != 200 {
		n.t.Fatalf("metrics: %+v, %v", got, err)
	}
	_, rest, ok := strings.Cut(got.body, "\n"+name+" ")
	line, _, _ := strings.Cut(rest, "\n")
	count, err := strconv.Atoi(line)
	if !ok || err != nil {
		n.t.Fatalf("there is no %s in %s", name, grep(got.body, "daysalt_salt"))
	}
	return count
}

func (n *node) wantOwn(want int) {
	n.t.Helper()
	if got := n.metric("daysalt_salt_own_total"); got != want {
		n.t.Errorf("node %s made %d keys by itself, want %d", n.name, got, want)
	}
}

// fetchAhead sets the clock to five minutes before a day and waits until the node has its key, so that nobody waits for it at midnight.
func (n *node) fetchAhead(midnight time.Time) {
	n.t.Helper()
	n.at(midnight.Add(-5 * time.Minute))
	for began := time.Now(); n.metric("daysalt_salt_keys") != 2; time.Sleep(20 * time.Millisecond) {
		if time.Since(began) > 10*time.Second {
			n.t.Fatalf("node %s does not fetch the next day's key", n.name)
		}
	}
}

// awaitKeys waits until PostgreSQL has the keys of exactly these dates.
func awaitKeys(t *testing.T, dsn string, days ...time.Time) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	var want []string
	for _, day := range days {
		want = append(want, "daysalt_key_"+day.Format(time.DateOnly)+"_UTC")
	}
	for began := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		rows, err := conn.Query(ctx, "SELECT relname::text FROM pg_class WHERE relkind = 'r' AND relname ~ '^daysalt_key_[0-9]' ORDER BY 1")
		if err != nil {
			t.Fatal(err)
		}
		got, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		if slices.Equal(got, want) {
			return
		}
		if time.Since(began) > 10*time.Second {
			t.Fatalf("PostgreSQL has %q after %v, want %q", got, time.Since(began).Round(time.Second), want)
		}
	}
}

// Several nodes with one PostgreSQL give a visitor one number a day. The day's key is dropped there when the day is over. While PostgreSQL is away they count
// with the key they have, and after midnight each with a key of its own.
func TestClock_shared(t *testing.T) {
	t.Parallel()
	pg := testkit.StartPostgres(t)
	a, b := startNode(t, "a", pg.DSN), startNode(t, "b", pg.DSN)
	first, second, third, fourth := tomorrow(12, 0), tomorrow(36, 0), tomorrow(60, 0), tomorrow(84, 0)
	midnight := func(day time.Time) time.Time { return day.Truncate(24 * time.Hour) }

	for _, n := range []*node{a, b} {
		n.at(first)
		n.visit("first")
	}
	awaitKeys(t, pg.DSN, first)
	a.fetchAhead(midnight(second))
	b.fetchAhead(midnight(second))
	awaitKeys(t, pg.DSN, first, second)
	a.at(midnight(second).Add(time.Second))
	awaitKeys(t, pg.DSN, second) // the first is over, whether or not somebody comes by
	a.visit("second")
	b.visit("first-still") // by a clock that is minutes behind
	b.at(midnight(second).Add(5 * time.Minute))
	b.visit("second")
	awaitKeys(t, pg.DSN, second)

	// A node that starts again has the same key, also where its clock says a date that is over.
	if code := b.stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	first2 := b.log.String()
	b.process = serve(t, b.dir, b.args...)
	b.at(first)
	b.visit("second-behind")
	b.at(second)
	b.visit("second-again")
	a.wantOwn(0)
	b.wantOwn(0)

	// PostgreSQL dies under load. Nothing is refused, on this day nor the next.
	load := startTraffic(a.base, sharedSite, 0)
	load.reach(t, 50)
	pg.Kill(t)
	load.reach(t, load.reach(t, 0)+50)
	b.visit("second-alone")
	a.wantOwn(0)
	b.wantOwn(0)
	for _, n := range []*node{a, b} {
		n.at(third)
		n.visit("third")
		n.wantOwn(1)
		n.awaitLog("the shared key store fails")
	}
	load.reach(t, load.reach(t, 0)+50)
	load.end()
	if len(load.wrong)+len(load.unsure) > 0 {
		t.Errorf("refused while PostgreSQL was away: %q, %q", load.wrong, load.unsure)
	}

	// With PostgreSQL back they have one key again from the next day on.
	pg.Start(t)
	for _, n := range []*node{a, b} {
		n.at(third.Add(time.Hour))
		n.visit("third-still")
		n.fetchAhead(midnight(fourth))
		n.at(fourth)
		n.visit("fourth")
		n.wantOwn(1)
	}
	awaitKeys(t, pg.DSN, fourth)
	for _, n := range []*node{a, b} {
		if code := n.stop(); code != 0 {
			t.Errorf("exit code %d of %s", code, n.name)
		}
	}
	wantNumbers(t, rowsOf(t, a.dir), rowsOf(t, b.dir), first)

	at, err := url.Parse(pg.DSN)
	if err != nil {
		t.Fatal(err)
	}
	password, _ := at.User.Password()
	for _, text := range []string{password, strings.SplitN(at.User.String(), ":", 2)[1]} {
		if strings.Contains(first2+a.log.String()+b.log.String(), text) {
			t.Errorf("a log holds the password as %q", text)
		}
	}
}

// wantNumbers compares what two nodes stored of one visitor.
func wantNumbers(t *testing.T, a, b map[string]row, first time.Time) {
	t.Helper()
	number := func(path string) uint64 {
		t.Helper()
		in := a
		if strings.HasPrefix(path, "/b/") {
			in = b
		}
		if in[path].Visitor == 0 || in[path].Site != 1 {
			t.Errorf("%s is stored as %+v", path, in[path])
		}
		return in[path].Visitor
	}
	same := func(paths ...string) {
		t.Helper()
		for _, path := range paths[1:] {
			if number(path) != number(paths[0]) {
				t.Errorf("one visitor of %s and %s has two numbers", paths[0], path)
			}
		}
	}
	same("/a/first", "/b/first", "/b/first-still")
	same("/a/second", "/b/second", "/b/second-behind", "/b/second-again", "/b/second-alone")
	same("/a/third", "/a/third-still")
	same("/b/third", "/b/third-still")
	same("/a/fourth", "/b/fourth")
	different := []uint64{number("/a/first"), number("/a/second"), number("/a/third"), number("/b/third"), number("/a/fourth")}
	slices.Sort(different)
	if len(slices.Compact(slices.Clone(different))) != 5 {
		t.Errorf("the numbers of four days, of one of them on two nodes, are %d", different)
	}

	// Also of all that came under load: no number is on two dates.
	days := map[uint64]string{}
	for _, rows := range []map[string]row{a, b} {
		for path, r := range rows {
			if day, ok := days[r.Visitor]; ok && day != r.Day {
				t.Errorf("the number of %s is on %s and %s", path, r.Day, day)
			}
			days[r.Visitor] = r.Day
		}
	}
	if len(days) != 5 || days[number("/a/first")] != first.Format(time.DateOnly) || days[number("/b/second-behind")] != first.AddDate(0, 0, 1).Format(time.DateOnly) {
		t.Errorf("dates by number: %v", days)
	}
}
