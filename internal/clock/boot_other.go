//go:build !linux

package clock

import (
	"time"

	"golang.org/x/sys/unix"
)

// Monotonic time stops while the machine sleeps on some systems; then a secret may live longer by as much.
func sinceBoot() time.Duration {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts) // fails only for a clock that is not known, and POSIX demands this one
	return time.Duration(ts.Nano())
}

func bootID() string { return "" }
