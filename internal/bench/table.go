package bench

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// Table is everything that is promised of speed and size, and what was measured.
type Table struct {
	Rows    []Row       `json:"rows"`
	Paused  *Report     `json:"paused"`           // flat out, the database stopped
	Storing *Report     `json:"storing"`          // flat out, everything stored
	Alone   *Report     `json:"open_loop_paused"` // at a set rate, the database stopped
	Open    *Report     `json:"open_loop"`        // at a set rate, everything stored
	Ship    *ShipReport `json:"ship"`
}

// Row is one promise.
type Row struct {
	Measure string  `json:"measure"`
	Bar     float64 `json:"bar"`
	Aim     float64 `json:"aim"`
	Value   float64 `json:"value"`
	Met     bool    `json:"met"`      // the bar
	AtLeast bool    `json:"at_least"` // the bar is a least value, not a most one
}

// openRate is how many events a second the open loop sends.
const openRate = 20_000

// TableOptions say how everything is measured.
type TableOptions struct {
	Seed  uint64
	Short bool   // for as long as it takes to see that it works
	Geo   string // path of a location database; "" for none
}

// All measures everything.
func (b *Bench) All(ctx context.Context, options TableOptions) (*Table, error) {
	o := Ingest{Duration: time.Minute, Connections: 64, Sites: 3, Visitors: 50_000, Pairs: 5, Baseline: true, Seed: options.Seed, Warm: 2 * time.Second}
	s := Ship{Events: 5_000_000, Sites: 3, Seed: options.Seed, Geo: options.Geo}
	brief := 10 * time.Second // of what has nothing to catch up with
	if options.Short {
		o.Duration, brief, o.Pairs, s.Events = 5*time.Second, 5*time.Second, 1, 500_000
	}
	t := &Table{}
	var err error
	paused, storing, open := o, o, o
	paused.Duration, open.Duration = brief, brief
	paused.Wrk, paused.Paused, storing.Wrk, open.Rate = true, true, true, openRate
	b.say("flat out, the database paused")
	if t.Paused, err = b.Ingest(ctx, paused); err != nil {
		return nil, err
	}
	b.say("flat out, everything stored")
	if t.Storing, err = b.Ingest(ctx, storing); err != nil {
		return nil, err
	}
	b.say("%d events a second, the database paused", openRate)
	alone := open
	alone.Paused = true
	if t.Alone, err = b.Ingest(ctx, alone); err != nil {
		return nil, err
	}
	b.say("%d events a second, everything stored", openRate)
	if t.Open, err = b.Ingest(ctx, open); err != nil {
		return nil, err
	}
	b.say("storing alone")
	if t.Ship, err = b.Ship(ctx, s); err != nil {
		return nil, err
	}
	t.judge()
	return t, nil
}

// judge makes the rows.
func (t *Table) judge() {
	value := func(v *float64) float64 {
		if v == nil {
			return 0
		}
		return *v
	}
	lag, _ := t.Storing.lag()
	t.Rows = []Row{
		{Measure: "server CPU per event / bare fiber, shipping paused", Bar: 1.3, Aim: 1.15, Value: value(t.Paused.CPU)},
		{Measure: "the same, shipping, everything stored", Bar: 2.1, Aim: 1.6, Value: value(t.Storing.CPU)},
		{Measure: "lag at the end of shipping's window, s", Bar: 2, Aim: 1, Value: lag},
		{Measure: "throughput / bare fiber, shipping paused", Bar: 0.85, Aim: 0.92, Value: value(t.Paused.Throughput), AtLeast: true},
		{Measure: "the same, shipping", Bar: 0.55, Aim: 0.75, Value: value(t.Storing.Throughput), AtLeast: true},
		{Measure: fmt.Sprintf("p99 / bare fiber's, open loop, %d/s, shipping paused", openRate), Bar: 2, Aim: 1.2, Value: value(t.Alone.P99)},
		{Measure: "the same, shipping", Bar: 2, Aim: 1.2, Value: value(t.Open.P99)},
		{Measure: "shipping alone, events/s", Bar: 150_000, Aim: 300_000, Value: t.Ship.EventsPerSec, AtLeast: true},
		{Measure: "bytes per event after OPTIMIZE FINAL", Bar: 20, Aim: 13, Value: t.Ship.Disk.BytesPerEvent},
	}
	for i := range t.Rows {
		r := &t.Rows[i]
		if r.AtLeast {
			r.Met = r.Value >= r.Bar
		} else {
			r.Met = r.Value <= r.Bar
		}
	}
	t.Rows[2].Met = lag < t.Rows[2].Bar
}

// Wrong says what is wrong with what was stored; "" where nothing is.
func (t *Table) Wrong() string {
	for _, text := range []string{t.Paused.Wrong(), t.Storing.Wrong(), t.Alone.Wrong(), t.Open.Wrong(), t.Ship.Wrong()} {
		if text != "" {
			return text
		}
	}
	return ""
}

// Print writes the table as text.
func (t *Table) Print(w io.Writer) {
	out := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(out, "MEASURE\tBAR\tAIM\tVALUE\t")
	for _, r := range t.Rows {
		sign, format, met := "<=", "%.2f", "met"
		if r.AtLeast {
			sign = ">="
		}
		if r.Bar >= 1000 {
			format = "%.0f"
		}
		if !r.Met {
			met = "not met"
		}
		fmt.Fprintf(out, "%s\t%s %s\t%s\t%s\t%s\n", r.Measure, sign, strings.TrimSuffix(fmt.Sprintf("%.2f", r.Bar), ".00"),
			strings.TrimSuffix(fmt.Sprintf("%.2f", r.Aim), ".00"), fmt.Sprintf(format, r.Value), met)
	}
	_ = out.Flush() // writes to w, as everything here
	stored, lost, duplicated := 0, 0, 0
	for _, report := range []*Report{t.Paused, t.Storing, t.Alone, t.Open} {
		for _, run := range report.Server {
			stored, lost, duplicated = stored+*run.Stored, lost+*run.Lost, duplicated+*run.Duplicated
		}
	}
	fmt.Fprintf(w, "\nof %d events stored: lost %d, duplicated %d\n\nBytes per event, column by column: ", stored, lost, duplicated)
	t.Ship.Disk.Print(w)
}
