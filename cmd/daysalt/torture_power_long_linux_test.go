//go:build root && torture

package main

import "time"

const (
	powerSlack = 150 * time.Millisecond // how late a loaded machine may be to flush the journal
	powerCuts  = 5
)
