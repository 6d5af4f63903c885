//go:build root && !torture

package main

import "time"

const (
	powerSlack = 400 * time.Millisecond // how late a loaded machine may be to flush the journal
	powerCuts  = 1
)
