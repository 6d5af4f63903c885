package store_test

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/daysalt/daysalt/internal/abuse"
	"github.com/daysalt/daysalt/internal/store"
)

// thisMinute is the minute that is running: what the table answers depends on how old a row is.
func thisMinute() time.Time { return time.Now().UTC().Truncate(time.Minute) }

func abuseRow(site uint32, minute time.Time, address, reason string, events uint32) abuse.Row {
	return abuse.Row{SiteID: site, Minute: minute.Unix(), Address: netip.MustParseAddr(address), Reason: reason, Events: events}
}

func insertAbuse(t *testing.T, s *store.Store, token string, rows ...abuse.Row) {
	t.Helper()
	if err := s.InsertAbuse(t.Context(), token, rows); err != nil {
		t.Fatal(err)
	}
}

// sums returns what a filter chooses, each sum as it would be expected.
func sums(t *testing.T, s *store.Store, f abuse.Filter) []abuse.Summary {
	t.Helper()
	got, err := s.Abuse(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func expectSums(t *testing.T, what string, got, want []abuse.Summary) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
		t.Errorf("%s: %s", what, diff)
	}
}

// A row has these five facts and nothing else: no visitor number, no page, nothing that leads to one.
func TestAbuse_columns(t *testing.T) {
	s := open(t)
	got := ask(t, s, "SELECT name || ' ' || type FROM system.columns WHERE database = currentDatabase() AND table = 'abuse' ORDER BY position", nil)
	want := []string{"site_id UInt32", "minute DateTime('UTC')", "address IPv6", "reason LowCardinality(String)", "events UInt32"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	// And events has no address: this table is the only one that does.
	got = ask(t, s, "SELECT table || '.' || name FROM system.columns WHERE database = currentDatabase() AND (type LIKE '%IPv%' OR name LIKE '%addr%' OR name LIKE '%ip')", nil)
	if diff := cmp.Diff([]string{"abuse.address"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestInsertAbuse(t *testing.T) {
	s := open(t)
	now := thisMinute()
	rows := []abuse.Row{
		abuseRow(4294967295, now, "203.0.113.0", "kept", 4294967295),
		abuseRow(0, now.Add(-time.Minute), "2001:db8:1::", "unknown_site", 1),
		abuseRow(7, now.Add(-2*time.Minute), "::", "bot", 2),
		abuseRow(8, now.Add(-24*time.Hour), "0.0.0.0", "prefetch", 3), // of another partition
		{SiteID: 9, Minute: now.Unix(), Reason: "kept", Events: 4},    // of an address that was not known
	}
	insertAbuse(t, s, "nothing")
	for range 2 {
		insertAbuse(t, s, "token", rows...)
	}
	got := ask(t, s, "SELECT toString(tuple(*)) FROM abuse ORDER BY site_id", nil)
	stamp := func(minute time.Time) string { return minute.Format("'2006-01-02 15:04:05'") }
	want := []string{
		"(0," + stamp(now.Add(-time.Minute)) + ",'2001:db8:1::','unknown_site',1)",
		"(7," + stamp(now.Add(-2*time.Minute)) + ",'::','bot',2)",
		"(8," + stamp(now.Add(-24*time.Hour)) + ",'::ffff:0.0.0.0','prefetch',3)",
		"(9," + stamp(now) + ",'::','kept',4)",
		"(4294967295," + stamp(now) + ",'::ffff:203.0.113.0','kept',4294967295)",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	insertAbuse(t, s, "another token", rows...)
	if got := ask(t, s, "SELECT toString(count()) FROM abuse", nil); got[0] != "10" {
		t.Errorf("%s rows, want 10: the same rows under another token are other events", got[0])
	}
}

// An insert that fails stores nothing, and its error holds nothing of the rows.
func TestInsertAbuse_fails(t *testing.T) {
	s := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	row := abuseRow(7, thisMinute(), "203.0.113.0", "Zq7Marker", 1)
	if err := s.InsertAbuse(ctx, "token", []abuse.Row{row}); err == nil || strings.Contains(err.Error(), "203.") || strings.Contains(err.Error(), "Zq7Marker") {
		t.Errorf("error %v", err)
	}
	if got := ask(t, s, "SELECT toString(count()) FROM abuse", nil); got[0] != "0" {
		t.Errorf("%s rows after a failure", got[0])
	}
	insertAbuse(t, s, "token", row)
	if got := ask(t, s, "SELECT toString(count()) FROM abuse", nil); got[0] != "1" {
		t.Errorf("%s rows after a second attempt", got[0])
	}
}

// The rows are summed by site, address and reason, the most events first.
func TestAbuse(t *testing.T) {
	s := open(t)
	now := thisMinute()
	ago := func(minutes int) time.Time { return now.Add(-time.Duration(minutes) * time.Minute) }
	insertAbuse(t, s, "first", abuseRow(1, ago(90), "203.0.0.0", "kept", 4_000_000_000), abuseRow(1, ago(30), "203.0.0.0", "kept", 4_000_000_000), abuseRow(1, ago(30), "203.0.0.0", "bot", 5),
		abuseRow(2, ago(30), "203.0.0.0", "kept", 7), abuseRow(2, ago(20), "2001:db8:1::", "kept", 5), abuseRow(0, ago(10), "198.51.0.0", "unknown_site", 6))
	insertAbuse(t, s, "second", abuseRow(1, ago(30), "203.0.0.0", "kept", 1)) // the same minute once more
	sum := func(site uint32, address, reason string, events uint64, first, last int) abuse.Summary {
		return abuse.Summary{SiteID: site, Address: netip.MustParseAddr(address), Reason: reason, Events: events, First: ago(first), Last: ago(last)}
	}
	all := []abuse.Summary{
		sum(1, "203.0.0.0", "kept", 8_000_000_001, 90, 30), sum(2, "203.0.0.0", "kept", 7, 30, 30), sum(0, "198.51.0.0", "unknown_site", 6, 10, 10),
		sum(1, "203.0.0.0", "bot", 5, 30, 30), sum(2, "2001:db8:1::", "kept", 5, 20, 20),
	}
	none, one, two, other := uint32(0), uint32(1), uint32(2), uint32(3)
	expectSums(t, "all", sums(t, s, abuse.Filter{From: ago(90), Limit: 100}), all)
	expectSums(t, "a limit", sums(t, s, abuse.Filter{From: ago(90), Limit: 2}), all[:2])
	expectSums(t, "no limit", sums(t, s, abuse.Filter{From: ago(90)}), all[:1])
	expectSums(t, "none of the sites", sums(t, s, abuse.Filter{SiteID: &none, From: ago(90), Limit: 100}), all[2:3])
	expectSums(t, "one site", sums(t, s, abuse.Filter{SiteID: &one, From: ago(90), Limit: 100}), []abuse.Summary{all[0], all[3]})
	expectSums(t, "another site", sums(t, s, abuse.Filter{SiteID: &other, From: ago(90), Limit: 100}), []abuse.Summary{})
	expectSums(t, "less time", sums(t, s, abuse.Filter{SiteID: &one, From: ago(90).Add(time.Second), Limit: 100}), []abuse.Summary{sum(1, "203.0.0.0", "kept", 4_000_000_001, 30, 30), all[3]})
	expectSums(t, "all there is", sums(t, s, abuse.Filter{Limit: 100}), all)
	expectSums(t, "nothing", sums(t, s, abuse.Filter{From: now, Limit: 100}), []abuse.Summary{})

	for range 2 {
		if err := s.RemoveAbuse(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		expectSums(t, "after a site was removed", sums(t, s, abuse.Filter{From: ago(90), Limit: 100}), []abuse.Summary{all[1], all[2], all[4]})
	}
	expectSums(t, "the other site", sums(t, s, abuse.Filter{SiteID: &two, From: ago(90), Limit: 100}), []abuse.Summary{all[1], all[4]})
}

// Rows that could not be deleted yet are not said to be gone.
func TestRemoveAbuse_late(t *testing.T) {
	s := open(t)
	insertAbuse(t, s, "token", abuseRow(1, thisMinute(), "203.0.0.0", "kept", 1))
	ask(t, s, "SYSTEM STOP MERGES abuse", nil)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := s.RemoveAbuse(ctx, 1); err == nil {
		t.Error("it did not wait")
	}
	ask(t, s, "SYSTEM START MERGES abuse", nil)
	if err := s.RemoveAbuse(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	expectSums(t, "afterwards", sums(t, s, abuse.Filter{Limit: 100}), []abuse.Summary{})
}

// A row is answered for 15 days, also while it is still there, and then it goes.
func TestAbuse_expires(t *testing.T) {
	s := open(t)
	got := ask(t, s, "SELECT create_table_query FROM system.tables WHERE database = currentDatabase() AND name = 'abuse'", nil)[0]
	for _, part := range []string{"TTL minute + toIntervalDay(15)", "PARTITION BY toDate(minute)", "ttl_only_drop_parts = 1", "non_replicated_deduplication_window = 1000"} {
		if !strings.Contains(got, part) {
			t.Errorf("no %q in %s", part, got)
		}
	}
	now := thisMinute()
	young, old := now.Add(-15*24*time.Hour+time.Hour), now.Add(-15*24*time.Hour)
	ask(t, s, "SYSTEM STOP MERGES abuse", nil) // nothing is deleted before it was asked for
	insertAbuse(t, s, "token", abuseRow(1, young, "203.0.0.0", "kept", 1), abuseRow(1, old, "203.0.0.0", "kept", 10), abuseRow(1, old.Add(-24*time.Hour), "203.0.0.0", "kept", 100))
	if got := ask(t, s, "SELECT toString(sum(events)) FROM abuse", nil); got[0] != "111" {
		t.Errorf("%s events are there, want 111", got[0])
	}
	want := []abuse.Summary{{SiteID: 1, Address: netip.MustParseAddr("203.0.0.0"), Reason: "kept", Events: 1, First: young, Last: young}}
	expectSums(t, "answered", sums(t, s, abuse.Filter{Limit: 100}), want)
	ask(t, s, "SYSTEM START MERGES abuse", nil)
	ask(t, s, "OPTIMIZE TABLE abuse FINAL", nil)
	if got := ask(t, s, "SELECT toString(countIf(events = 100)) FROM abuse", nil); got[0] != "0" {
		t.Error("a day that is over is still there")
	}
	expectSums(t, "answered afterwards", sums(t, s, abuse.Filter{Limit: 100}), want)
}
