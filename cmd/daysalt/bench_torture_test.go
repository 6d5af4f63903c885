//go:build torture

package main

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/daysalt/daysalt/internal/bench"
	"github.com/daysalt/daysalt/internal/testkit"
)

// The whole table in its short form, with wrk, which has to be installed: nothing is lost or stored twice, and every row has a value.
func TestTorture_benchTable(t *testing.T) {
	p := start(t, nil, "bench", "table", "--short", "--json", "--engine-library", testkit.Library(t))
	select {
	case <-p.ended:
	case <-time.After(10 * time.Minute):
		t.Fatal("it does not end")
	}
	var all bench.Table
	if err := json.Unmarshal([]byte(p.out.String()), &all); err != nil || p.wait() != 0 {
		t.Fatalf("%v, exit code %d: %s", err, p.wait(), p.log.String())
	}
	var text bytes.Buffer
	all.Print(&text)
	t.Logf("\n%s", &text)
	for _, row := range all.Rows {
		if row.Value <= 0 && row.Bar != 2 { // the lag may be 0
			t.Errorf("%s: %v", row.Measure, row.Value)
		}
	}
	for _, r := range []*bench.Report{all.Paused, all.Storing, all.Open} {
		if s := r.Server[0]; s.Accepted < 1000 || *s.Stored < s.Accepted || *s.Lost != 0 || *s.Duplicated != 0 || *s.Unexpected != 0 {
			t.Errorf("%+v: %d stored, %d lost, %d twice, %d unexpected", r.Ingest, *s.Stored, *s.Lost, *s.Duplicated, *s.Unexpected)
		}
	}
}
