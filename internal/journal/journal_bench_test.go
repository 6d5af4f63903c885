package journal

import (
	"fmt"
	"sync"
	"testing"
	"time"
)

// BenchmarkAppend appends to a warm mapping: its segments are made anew between the measured rounds. ns/op is per frame and goroutine.
func BenchmarkAppend(b *testing.B) {
	for _, size := range []int{200, 400} {
		for _, goroutines := range []int{1, 2} {
			b.Run(fmt.Sprintf("%dB/%d", size, goroutines), func(b *testing.B) { benchmarkAppend(b, size, goroutines) })
		}
	}
	b.Run("checksum/400B", func(b *testing.B) {
		frame := make([]byte, 400)
		for b.Loop() {
			_ = checksum(1, 4096, frame)
		}
	})
}

func benchmarkAppend(b *testing.B, size, goroutines int) {
	b.Helper()
	b.ReportAllocs()
	const round = 64 << 20
	frame := make([]byte, size)
	perRound := round / int(frameBytes(size)) / 2 / goroutines
	b.StopTimer()
	for done := 0; done < b.N; {
		j, err := Open(Config{Dir: b.TempDir(), SegmentBytes: round, QuotaBytes: 4 * round, Interval: time.Hour, SegmentAge: time.Hour}, nil)
		if err != nil {
			b.Fatal(err)
		}
		if err := j.Append(frame); err != nil {
			b.Fatal(err)
		}
		waitForNext(b, j)
		n := min(perRound, b.N-done)
		var group sync.WaitGroup
		b.StartTimer()
		for range goroutines {
			group.Go(func() {
				for range n {
					_ = j.Append(frame)
				}
			})
		}
		group.Wait()
		b.StopTimer()
		done += n
		if err := j.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
