package load

import "time"

// longestNap bounds how late a pacer sees that it is not needed any more.
const longestNap = 20 * time.Millisecond

// pace hands out the events as they become due, each with when that was. An event that nobody takes waits, and those behind it keep their times.
func (r *run) pace() {
	defer close(r.events)
	for n := 0; ; n++ {
		at := time.Duration(float64(n) / r.o.Rate * float64(time.Second))
		if r.o.For > 0 && at >= r.o.For {
			return
		}
		for {
			wait := at - r.driver.now().Sub(r.start)
			if wait <= 0 {
				break
			}
			if closed(r.cancel) {
				return
			}
			nap(min(wait, longestNap))
		}
		select {
		case r.events <- at:
		case <-r.cancel:
			return
		}
	}
}
