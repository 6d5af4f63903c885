//go:build torture

package main

import "time"

// The long forms, for make torture, one after the other.
const (
	killRounds = 20
	killAfter  = 3 * time.Second

	stallFor  = time.Minute
	stallRate = 10_000

	databaseKills = 15

	mishapRounds = 5
	faultFor     = 4 * time.Second

	stopRounds = 50
	stopRate   = 10_000

	slowest = 50 * time.Millisecond
)
