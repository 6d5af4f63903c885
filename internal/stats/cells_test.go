package stats

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
)

// TestWithhold hides cells of random tables. In every line, whatever dimensions are kept, nothing is hidden, or all, or two at least, of which one is about k
// visitors, and one about the filters having taken as many where they took any. A failure names its seed.
func TestWithhold(t *testing.T) {
	const k = 5
	shown, hidden := 0, 0
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 0))
		dimensions := 2 + r.IntN(3)
		all := randomCells(r, dimensions)
		withhold(all, dimensions, k)
		for _, c := range all {
			if !c.hidden && (0 < c.in && c.in < k || 0 < c.out && c.out < k) {
				t.Errorf("seed %d: %v is shown: %d, %d", seed, c.keys, c.in, c.out)
			}
			if c.hidden {
				hidden++
			} else {
				shown++
			}
		}
		for kept := range 1<<dimensions - 1 {
			for _, line := range lines(all, kept) {
				checkLine(t, seed, all, line, k)
			}
		}
	}
	if shown < 1000 || hidden < 1000 {
		t.Errorf("%d cells shown and %d hidden: the test shows nothing", shown, hidden)
	}
}

func checkLine(t *testing.T, seed uint64, all []cell, line []int, k int64) {
	t.Helper()
	hidden, in, out := 0, int64(0), int64(0)
	for _, i := range line {
		if all[i].hidden {
			hidden++
			in, out = max(in, all[i].in), max(out, all[i].out)
		}
	}
	if hidden > 0 && hidden < len(line) && (hidden == 1 || in < k || 0 < out && out < k) {
		t.Errorf("seed %d: of %d cells with %v %d are hidden, with at most %d and %d visitors", seed, len(line), all[line[0]].keys, hidden, in, out)
	}
}

// randomCells returns a table in which small cells are rare, so that others stay.
func randomCells(r *rand.Rand, dimensions int) []cell {
	var all []cell
	seen := map[string]bool{}
	filtered := r.IntN(2) == 0
	for range 5 + r.IntN(120) {
		c := cell{in: 5 + r.Int64N(30)}
		if r.IntN(30) == 0 {
			c.in = 1 + r.Int64N(4)
		}
		if filtered {
			c.out = []int64{0, 0, 5 + r.Int64N(9), 5 + r.Int64N(9)}[r.IntN(4)]
			if r.IntN(40) == 0 {
				c.out = 1
			}
		}
		for range dimensions {
			c.keys = append(c.keys, strconv.Itoa(r.IntN(6)))
		}
		if name := strings.Join(c.keys, ","); !seen[name] {
			seen[name] = true
			all = append(all, c)
		}
	}
	return all
}

// TestWithhold_enough leaves a table as it is that has no small cell, and hides no more of another than it takes.
func TestWithhold_enough(t *testing.T) {
	f := func(in []int64, want string) {
		t.Helper()
		var all []cell
		for i, n := range in {
			all = append(all, cell{keys: []string{strconv.Itoa(i / 3), strconv.Itoa(i % 3)}, in: n})
		}
		withhold(all, 2, 5)
		got := make([]byte, 0, len(all))
		for _, c := range all {
			got = append(got, map[bool]byte{true: '-', false: '+'}[c.hidden])
		}
		if string(got) != want {
			t.Errorf("%v: %s, want %s", in, got, want)
		}
	}
	f([]int64{5, 6, 7, 8, 9, 5, 6, 7, 8}, "+++++++++")
	f([]int64{4, 6, 7, 8, 9, 5, 6, 7, 8}, "--++++--+")
	f([]int64{4, 4, 7, 4, 4, 5, 9, 9, 9}, "--------+")
	f([]int64{4, 4}, "--")
}
