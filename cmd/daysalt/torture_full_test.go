package main

import (
	"strconv"
	"syscall"
	"testing"
	"time"
)

// The journal's quota is reached on a disk with room.
func TestTorture_quota(t *testing.T) {
	t.Parallel()
	fill(t, newRig(t, "--journal-quota", "16MiB", "--journal-min-free", "1MiB").withDatabase(), "a quota of 16 MiB")
}

// fill lets the database hang until the journal has no room: events are refused with 503 then, and counted. When the database is back, so is everything else.
func fill(t *testing.T, r *rig, how string) {
	t.Helper()
	r.start()
	f := r.load(0)
	time.Sleep(300 * time.Millisecond)
	r.database.signal(syscall.SIGSTOP)
	began := time.Now()
	for r.metric("daysalt_journal_refused_total") == 0 {
		if time.Since(began) > time.Minute {
			t.Fatal("the journal is never full")
		}
		time.Sleep(10 * time.Millisecond)
	}
	full := time.Since(began)
	time.Sleep(300 * time.Millisecond)
	_, got := r.post("/full")
	if seconds, err := strconv.Atoi(got.header.Get("Retry-After")); got.status != 503 || err != nil || seconds < 1 {
		t.Errorf("with a full journal an event is answered %+v", got)
	}
	first := f.end()
	if first.Refused[503] == 0 || len(first.Refused) != 1 || len(first.Unknown) > 0 {
		t.Errorf("refused %v, %d without an answer", first.Refused, len(first.Unknown))
	}

	r.database.signal(syscall.SIGCONT)
	began = time.Now()
	for status := 503; status != 202; {
		if time.Since(began) > 30*time.Second {
			t.Fatal("events are refused although the database is back")
		}
		time.Sleep(20 * time.Millisecond)
		_, got = r.post("/back")
		status = got.status
	}
	back := time.Since(began)
	if again := r.loadFor(500*time.Millisecond, stallRate); len(again.Refused) > 0 || len(again.Unknown) > 0 {
		t.Errorf("after the database is back %v are refused, %d without an answer", again.Refused, len(again.Unknown))
	}
	refused, kept, dropped := r.metric("daysalt_journal_refused_total"), r.metric("daysalt_ingest_kept_total"), r.metric("daysalt_ingest_dropped_total")
	o := r.settle()
	t.Logf("seed %d: %s, full after %v without a database: %v; kept %.0f + refused %.0f + dropped %.0f = sent %d; taken again %v after the database was back",
		r.seed, how, full.Round(time.Millisecond), o, kept, refused, dropped, o.Sent, back.Round(time.Millisecond))
	if int(kept) != o.Accepted || int(refused) != o.Refused[503] || int(dropped) != o.Dropped || int(kept+refused+dropped) != o.Sent {
		t.Errorf("the server counts %.0f kept, %.0f refused and %.0f dropped", kept, refused, dropped)
	}
}
