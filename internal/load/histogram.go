package load

import (
	"math/bits"
	"time"
)

// Histogram counts durations in buckets that are at most 1 % wide, from 1 ns to about 18 minutes; longer ones are counted there. The zero value is
// ready. It is not safe for concurrent use.
type Histogram struct {
	counts [buckets]uint64
	n      uint64
	max    time.Duration
	sum    time.Duration
}

// A bucket is a value's seven highest bits below the leading one, so that it is 1/128 of its value wide.
const (
	fineBits = 7
	fine     = 1 << fineBits
	topBit   = 40
	buckets  = (topBit - fineBits + 1) * fine
)

func bucketOf(d time.Duration) int {
	v := uint64(max(d, 0))
	if v < fine {
		return int(v)
	}
	shift := bits.Len64(v) - 1 - fineBits
	return min((shift+1)*fine+int(v>>shift)-fine, buckets-1)
}

// upper returns the longest duration of a bucket.
func upper(bucket int) time.Duration {
	if bucket < fine {
		return time.Duration(bucket)
	}
	shift := bucket/fine - 1
	return time.Duration(uint64(bucket%fine+fine+1)<<shift - 1)
}

// Record counts a duration; one below zero counts as zero.
func (h *Histogram) Record(d time.Duration) {
	h.counts[bucketOf(d)]++
	h.n++
	h.sum += d
	h.max = max(h.max, d)
}

// Add counts everything that o has counted.
func (h *Histogram) Add(o *Histogram) {
	for i, n := range &o.counts {
		h.counts[i] += n
	}
	h.n += o.n
	h.sum += o.sum
	h.max = max(h.max, o.max)
}

// Count returns how many durations were counted.
func (h *Histogram) Count() uint64 { return h.n }

// Max returns the longest duration, exactly.
func (h *Histogram) Max() time.Duration { return h.max }

// Mean returns the arithmetic mean, or 0 where nothing was counted.
func (h *Histogram) Mean() time.Duration {
	if h.n == 0 {
		return 0
	}
	return h.sum / time.Duration(h.n)
}

// Quantile returns the duration that a share q, from 0 to 1, of all durations does not exceed: the upper end of its bucket, at most Max. It is 0 where
// nothing was counted.
func (h *Histogram) Quantile(q float64) time.Duration {
	if h.n == 0 {
		return 0
	}
	rank := uint64(q*float64(h.n-1)) + 1
	var seen uint64
	for i, n := range &h.counts {
		if seen += n; seen >= min(rank, h.n) {
			return min(upper(i), h.max)
		}
	}
	return h.max
}
