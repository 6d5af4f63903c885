//go:build !torture

package main

import "time"

// The short forms, for make test: together they take less than a minute on two cores, several at a time.
const (
	killRounds = 3
	killAfter  = 700 * time.Millisecond // of load at full speed

	stallFor  = 4 * time.Second
	stallRate = 3000 // events a second

	databaseKills = 3

	mishapRounds = 1
	faultFor     = 300 * time.Millisecond // a slow insert

	stopRounds = 5
	stopRate   = 3000

	slowest = 2 * time.Second // others run at the same time, so that this tells a server that waits from one that does not, and nothing more
)
