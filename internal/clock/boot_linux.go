package clock

import (
	"time"

	"golang.org/x/sys/unix"
)

func sinceBoot() time.Duration {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts) // fails only for a clock that is not known, and this one is since Linux 2.6.39
	return time.Duration(ts.Nano())
}
