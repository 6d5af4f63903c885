package load

import (
	"syscall"
	"time"
)

// nap sleeps for d. The runtime's own timers are up to a millisecond late where nothing else happens, which would be most of what is measured.
func nap(d time.Duration) {
	const late = 1500 * time.Microsecond
	if d > late {
		time.Sleep(d - late)
		return
	}
	rest := syscall.NsecToTimespec(int64(d))
	_ = syscall.Nanosleep(&rest, nil) // a signal ends it early, and the caller looks at the clock
}
