package load_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/daysalt/daysalt/internal/load"
)

// Every quantile is that of the sorted list, or at most 1 % above it.
func TestHistogram(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	var a, b load.Histogram
	all := make([]time.Duration, 0, 20_000)
	for range 20_000 {
		d := time.Duration(math.Exp(r.Float64() * 27)) // up to 9 minutes
		all = append(all, d)
		if r.IntN(2) == 0 {
			a.Record(d)
		} else {
			b.Record(d)
		}
	}
	a.Add(&b)
	slices.Sort(all)
	for _, q := range []float64{0, 0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 1} {
		want := all[int(q*float64(len(all)-1))]
		if got := a.Quantile(q); got < want || float64(got) > float64(want)*1.01+1 {
			t.Errorf("quantile %v is %v, want %v", q, got, want)
		}
	}
	if a.Max() != all[len(all)-1] || a.Count() != 20_000 {
		t.Errorf("max %v, count %d", a.Max(), a.Count())
	}
}

func TestHistogram_edges(t *testing.T) {
	var h load.Histogram
	if h.Quantile(0.5) != 0 || h.Mean() != 0 || h.Max() != 0 {
		t.Error("an empty one says something")
	}
	h.Record(-time.Second)
	h.Record(time.Duration(math.MaxInt64))
	if h.Quantile(0) != 0 || h.Max() != math.MaxInt64 || h.Quantile(1) < 18*time.Minute {
		t.Errorf("%v, %v, %v", h.Quantile(0), h.Max(), h.Quantile(1))
	}
}
