package ledger_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daysalt/daysalt/internal/testkit/ledger"
)

func TestCheck(t *testing.T) {
	var l ledger.Ledger
	l.Accept(1, 2, 3, 4)
	l.Lose(5, 6)
	l.Refuse(503, 2)
	l.Refuse(413, 1)
	l.Drop(10)
	l.Spoil(4)
	l.Send(4)
	l.Send(6)
	f := func(stored map[uint64]int, want ledger.Report, wrong string) {
		t.Helper()
		want.Sent, want.Accepted, want.Dropped, want.Unknown, want.Spoiled = 10, 4, 1, 2, 1
		want.Refused = map[int]int{503: 2, 413: 1}
		got := l.Check(stored)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		err := got.Err()
		if (err == nil) != (wrong == "") || err != nil && !strings.Contains(err.Error(), wrong) {
			t.Errorf("%v, want %q", err, wrong)
		}
	}
	f(map[uint64]int{1: 1, 2: 1, 3: 1}, ledger.Report{Stored: 3}, "")
	f(map[uint64]int{1: 1, 2: 1, 3: 1, 6: 1, 77: 0}, ledger.Report{Stored: 4, StoredNoWord: 1}, "")
	f(map[uint64]int{1: 1, 2: 1}, ledger.Report{Stored: 2, Lost: []uint64{3}}, "1 accepted events are lost, such as [3]")
	f(map[uint64]int{1: 1, 2: 2, 3: 1, 5: 3}, ledger.Report{Stored: 4, StoredNoWord: 1, Duplicated: []uint64{2, 5}}, "2 events are stored more than once")
	f(map[uint64]int{1: 1, 2: 1, 3: 1, 4: 1}, ledger.Report{Stored: 4, Unexpected: []uint64{4}}, "must not be")
	f(map[uint64]int{1: 1, 2: 1, 3: 1, 8: 1, 10: 1}, ledger.Report{Stored: 5, Unexpected: []uint64{8, 10}}, "2 events are stored that must not be")
}

func TestCheck_notedTwice(t *testing.T) {
	var l ledger.Ledger
	l.Send(1)
	l.Accept(1)
	l.Lose(1)
	if err := l.Check(map[uint64]int{1: 1}).Err(); err == nil || !strings.Contains(err.Error(), "noted twice") {
		t.Error(err)
	}
	l = ledger.Ledger{}
	l.Send(1)
	l.Refuse(503, 2)
	if err := l.Check(nil).Err(); err == nil || !strings.Contains(err.Error(), "1 events were sent, and 2") {
		t.Error(err)
	}
}

func TestCheck_risk(t *testing.T) {
	var l ledger.Ledger
	l.Send(3)
	l.Accept(1, 2, 3)
	l.Risk(2, 3)
	r := l.Check(map[uint64]int{1: 1, 2: 1})
	if r.Err() != nil || r.Risked != 2 || r.RiskedLost != 1 {
		t.Errorf("%+v", r)
	}
	if r := l.Check(map[uint64]int{2: 1, 3: 2}); len(r.Lost) != 1 || len(r.Duplicated) != 1 {
		t.Errorf("%+v", r)
	}
}

func TestString(t *testing.T) {
	var l ledger.Ledger
	l.Accept(1, 2)
	l.Lose(3, 4)
	l.Refuse(503, 1)
	l.Drop(6)
	l.Spoil(2)
	l.Send(6)
	got := l.Check(map[uint64]int{1: 1, 3: 1}).String()
	want := "sent 6, accepted 2, dropped 1, refused with 503: 1, without an answer 2 (1 of them stored), spoiled 1, stored 2, lost 0, duplicated 0"
	if got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

// Whatever happens to a complete and exact set of rows, it is told, and how many rows it was.
func TestCheck_everyChangeIsTold(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	for range 200 {
		var l ledger.Ledger
		stored := map[uint64]int{}
		var kept []uint64
		n := 1 + rng.IntN(50)
		l.Send(n)
		for id := range uint64(n) {
			switch rng.IntN(4) {
			case 0:
				l.Lose(id)
				stored[id] = rng.IntN(2)
			case 1:
				l.Refuse(503, 1)
			default:
				l.Accept(id)
				stored[id] = 1
				kept = append(kept, id)
			}
		}
		if err := l.Check(stored).Err(); err != nil {
			t.Fatal(err)
		}
		if len(kept) == 0 {
			continue
		}
		rng.Shuffle(len(kept), func(i, j int) { kept[i], kept[j] = kept[j], kept[i] })
		lost, doubled := rng.IntN(len(kept)), 0
		for _, id := range kept[:lost] {
			delete(stored, id)
		}
		for _, id := range kept[lost:] {
			if rng.IntN(3) == 0 {
				stored[id]++
				doubled++
			}
		}
		if r := l.Check(stored); len(r.Lost) != lost || len(r.Duplicated) != doubled || (r.Err() == nil) != (lost+doubled == 0) {
			t.Fatalf("%d lost and %d duplicated: %+v", lost, doubled, r)
		}
	}
}
