package stats

import "strings"

// cell is a row of a question with several dimensions, on a site that withholds small groups.
type cell struct {
	row    Row
	keys   []string // of the dimensions; labels may be alike
	in     int64    // visitors that the row is about
	out    int64    // visitors that it would be about without the filters and is not
	hidden bool
}

// withhold marks the cells that are not shown: those about fewer than k visitors, and as many others as it takes that nobody finds one by subtraction.
// Answers with fewer of the dimensions are sums over lines of cells, down to the one of all. In each line nothing is hidden, or all is, or at least two
// cells, one of which has k visitors, so that their sum has as many.
func withhold(cells []cell, dimensions int, k int64) {
	few := func(n int64) bool { return 0 < n && n < k }
	for i, c := range cells {
		cells[i].hidden = few(c.in) || few(c.out)
	}
	for changed := true; changed; {
		changed = false
		for kept := 1<<dimensions - 2; kept >= 0; kept-- { // the shortest lines first: what they hide mostly covers the longer
			for _, line := range lines(cells, kept) {
				for cover(cells, line, k) {
					changed = true
				}
			}
		}
	}
}

// lines returns the indices of the cells that have the same values in the kept dimensions, a bit for each.
func lines(cells []cell, kept int) [][]int {
	var all [][]int
	of := map[string]int{}
	var name strings.Builder
	for i, c := range cells {
		name.Reset()
		for d, key := range c.keys {
			if kept>>d&1 != 0 {
				name.WriteString(strings.ReplaceAll(key, "\x00", "\x00\x01"))
				name.WriteString("\x00\x00")
			}
		}
		n, ok := of[name.String()]
		if !ok {
			n = len(all)
			of[name.String()] = n
			all = append(all, nil)
		}
		all[n] = append(all[n], i)
	}
	return all
}

// cover hides one more cell of a line where what is hidden there gives a small group away, and says whether it did.
func cover(cells []cell, line []int, k int64) bool {
	hidden, in, out := 0, int64(0), int64(0)
	shown, next, nextOut := 0, -1, -1
	for _, i := range line {
		c := &cells[i]
		if c.hidden {
			hidden++
			in, out = max(in, c.in), max(out, c.out)
			continue
		}
		shown = i
		if next < 0 || c.in < cells[next].in {
			next = i
		}
		if c.out >= k && (nextOut < 0 || c.out < cells[nextOut].out) {
			nextOut = i
		}
	}
	switch {
	case hidden == 0 || next < 0:
		return false
	case 0 < out && out < k:
		if nextOut < 0 {
			nextOut = shown // There is none that helps: nothing of the line is shown in the end.
		}
		cells[nextOut].hidden = true
	case hidden == 1 || in < k:
		cells[next].hidden = true
	default:
		return false
	}
	return true
}
