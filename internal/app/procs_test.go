package app

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daysalt/daysalt/internal/ship"
)

// The scheduler is wide while rows are stored and much is behind, and for a second after that.
func TestProcs(t *testing.T) {
	var st ship.Stats
	var set []bool
	p := &procs{stats: func() ship.Stats { return st }, set: func(wide bool) { set = append(set, wide) }, calm: calmLooks}
	look := func(n int, lag int64, rows uint64) {
		for range n {
			st.LagBytes, st.Rows = lag, st.Rows+rows
			p.look()
		}
	}
	for _, c := range []struct {
		name  string
		looks int
		lag   int64
		rows  uint64 // more at each look
		want  []bool
	}{
		{"keeping up", 20, behindBytes - 1, 1000, nil},
		{"the database is away", 20, 100 * behindBytes, 0, nil},
		{"catching up", 20, 50 * behindBytes, 1000, []bool{true}},
		{"a pause", calmLooks - 1, behindBytes, 0, nil},
		{"catching up again", 1, behindBytes, 1, nil},
		{"nearly done", calmLooks - 1, 0, 1, nil},
		{"done", 20, 0, 1, []bool{false}},
	} {
		set = nil
		if look(c.looks, c.lag, c.rows); !cmp.Equal(set, c.want) {
			t.Errorf("%s: set %v, want %v", c.name, set, c.want)
		}
	}
}
