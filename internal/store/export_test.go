package store

import (
	"strconv"
	"strings"
)

// RefusedCodes returns the codes for which refuses says yes, as a list of SQL.
func RefusedCodes() string {
	var codes []string
	for code := range int32(2000) {
		if refuses(code) {
			codes = append(codes, strconv.Itoa(int(code)))
		}
	}
	return "(" + strings.Join(codes, ", ") + ")"
}

// Probe is the question that Stored asks.
var Probe = probe
