package engine

import (
	"time"

	"golang.org/x/sys/unix"
)

// Of the engine's threads: how far they are behind those that answer requests, and how long they run at a time. Of two threads that want the same processor the
// engine's gets a quarter, in long pieces: since Linux 6.12 whoever wants shorter ones (all others) need not wait for the end of a long one. An insert or a merge takes as
// long as there is work; a request must not wait for that.
const (
	niceness = 5
	slice    = 100 * time.Millisecond
)

// stepBack lowers the priority of the calling thread, and so of every thread that it makes from now on. It cannot be undone without privileges, so the thread
// must not go back to the Go runtime: a goroutine that ends locked to it takes it along.
func stepBack() {
	attr := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_NORMAL, Nice: niceness, Runtime: uint64(slice)}
	_ = unix.SchedSetAttr(0, &attr, 0) // It fails where the priority is lower already.
}
