package bench

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/daysalt/daysalt/internal/load"
)

// Run is one window on one server. Where a pointer is nil, that was not measured.
type Run struct {
	Sent     int `json:"sent"`
	Accepted int `json:"accepted"` // 202, and counted
	Dropped  int `json:"dropped"`  // 202, and not counted
	Refused  int `json:"refused"`  // another status
	Unknown  int `json:"unknown"`  // the connection ended first
	Unsent   int `json:"unsent"`   // due, and not sent

	Seconds       float64 `json:"seconds"`
	EventsPerSec  float64 `json:"events_per_second"` // accepted
	P50Micros     float64 `json:"p50_us"`
	P99Micros     float64 `json:"p99_us"`
	P999Micros    float64 `json:"p999_us"`
	MaxMicros     float64 `json:"max_us"`
	CPUMicros     float64 `json:"cpu_us_per_event"`        // of the server, for each accepted event
	DriverMicros  float64 `json:"driver_cpu_us_per_event"` // of what sends, on the same machine
	ResidentBytes int64   `json:"resident_bytes"`          // at the end of the window

	LagSeconds   *float64 `json:"lag_seconds,omitempty"`   // at the end of the window: the age of the oldest event that is not stored
	DrainSeconds *float64 `json:"drain_seconds,omitempty"` // from then until everything was stored

	Stored     *int `json:"stored,omitempty"` // rows, those of the time before the window included
	Lost       *int `json:"lost,omitempty"`
	Duplicated *int `json:"duplicated,omitempty"`
	Unexpected *int `json:"unexpected,omitempty"`
}

func (r *Run) rate() {
	if r.Seconds > 0 {
		r.EventsPerSec = float64(r.Accepted) / r.Seconds
	}
}

// each returns a time's share of an accepted event, in microseconds.
func (r *Run) each(d time.Duration) float64 {
	return float64(d.Nanoseconds()) / 1000 / float64(max(1, r.Accepted))
}

// driver notes what sending cost.
func (r *Run) driver(d time.Duration) { r.DriverMicros = r.each(d) }

// runOf is what the driver says.
func runOf(got load.Result) Run {
	micros := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }
	run := Run{
		Sent: got.Sent, Accepted: len(got.Accepted), Dropped: len(got.Dropped), Unknown: len(got.Unknown), Unsent: got.Unsent, Seconds: got.Elapsed.Seconds(),
		P50Micros: micros(got.Latency.Quantile(0.5)), P99Micros: micros(got.Latency.Quantile(0.99)),
		P999Micros: micros(got.Latency.Quantile(0.999)), MaxMicros: micros(got.Latency.Max()),
	}
	for n := range maps.Values(got.Refused) {
		run.Refused += n
	}
	run.rate()
	return run
}

// wrong says what is wrong with what is stored; "" where nothing is.
func (r *Run) wrong() string {
	if r.Lost == nil || *r.Lost == 0 && *r.Duplicated == 0 && *r.Unexpected == 0 {
		return ""
	}
	return fmt.Sprintf("%d accepted events are lost, %d are stored more than once, %d rows are of no accepted event", *r.Lost, *r.Duplicated, *r.Unexpected)
}

func (r *Run) line() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%.0f/s, %.1f us CPU, p50 %.0f p99 %.0f us, %d accepted", r.EventsPerSec, r.CPUMicros, r.P50Micros, r.P99Micros, r.Accepted)
	for _, one := range []struct {
		n    int
		what string
	}{{r.Dropped, "dropped"}, {r.Refused, "refused"}, {r.Unknown, "unknown"}, {r.Unsent, "not sent"}} {
		if one.n > 0 {
			fmt.Fprintf(&b, ", %d %s", one.n, one.what)
		}
	}
	if r.LagSeconds != nil {
		fmt.Fprintf(&b, ", lag %.0f s, stored %.1f s later", *r.LagSeconds, *r.DrainSeconds)
	}
	if r.Lost != nil {
		fmt.Fprintf(&b, ", lost %d, duplicated %d", *r.Lost, *r.Duplicated)
	}
	return b.String()
}

// Report is what Ingest found.
type Report struct {
	Ingest   Ingest `json:"options"`
	Server   []Run  `json:"server"`
	Baseline []Run  `json:"baseline,omitempty"`
	// Medians of the ratios of pairs, server / baseline; nil without a baseline.
	CPU        *float64 `json:"cpu_ratio,omitempty"`
	Throughput *float64 `json:"throughput_ratio,omitempty"`
	P99        *float64 `json:"p99_ratio,omitempty"`
	Disk       *Disk    `json:"disk,omitempty"`
}

// sum makes the ratios.
func (r *Report) sum() {
	ratio := func(of func(Run) float64) *float64 {
		var all []float64
		for i := range r.Baseline {
			if under := of(r.Baseline[i]); under > 0 {
				all = append(all, of(r.Server[i])/under)
			}
		}
		if len(all) == 0 {
			return nil
		}
		middle := median(all)
		return &middle
	}
	r.CPU = ratio(func(r Run) float64 { return r.CPUMicros })
	r.Throughput = ratio(func(r Run) float64 { return r.EventsPerSec })
	r.P99 = ratio(func(r Run) float64 { return r.P99Micros })
}

// Wrong says what is wrong with what the servers stored; "" where nothing is.
func (r *Report) Wrong() string {
	for i := range r.Server {
		if text := r.Server[i].wrong(); text != "" {
			return text
		}
	}
	return ""
}

// lag returns the worst lag at the end of a window, and false where none was measured.
func (r *Report) lag() (float64, bool) {
	var all []float64
	for _, run := range r.Server {
		if run.LagSeconds != nil {
			all = append(all, *run.LagSeconds)
		}
	}
	if len(all) == 0 {
		return 0, false
	}
	return slices.Max(all), true
}

// Print writes the report as text.
func (r *Report) Print(w io.Writer) {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\taccepted\trefused\tunknown\tstored\tlost\tduplicated\tunexpected\tevents/s\tCPU us\tdriver us\tp50 us\tp99 us\tp99.9 us\tmax us\tlag s\tRSS MiB\t")
	each := func(name string, all []Run) {
		for i := range all {
			one := &all[i]
			fmt.Fprintf(t, "%s %d\t%d\t%d\t%d\t%s\t%s\t%s\t%s\t%.0f\t%.2f\t%.2f\t%.0f\t%.0f\t%.0f\t%.0f\t%s\t%d\t\n", name, i+1, one.Accepted, one.Refused+one.Dropped, one.Unknown,
				optional(one.Stored), optional(one.Lost), optional(one.Duplicated), optional(one.Unexpected), one.EventsPerSec, one.CPUMicros, one.DriverMicros,
				one.P50Micros, one.P99Micros, one.P999Micros, one.MaxMicros, optional(one.LagSeconds), one.ResidentBytes>>20)
		}
	}
	each("server", r.Server)
	each("baseline", r.Baseline)
	_ = t.Flush() // writes to w, as everything here
	if r.CPU != nil {
		fmt.Fprintf(w, "\nserver / baseline, median of %d: CPU per event %.2f, throughput %.2f, p99 %.2f\n", len(r.Baseline), *r.CPU, *r.Throughput, *r.P99)
	}
	if r.Disk != nil {
		fmt.Fprintln(w, "\nEvery event has its id as a property, which real ones have not; it is most of prop_values.")
		r.Disk.Print(w)
	}
}

func optional[T any](value *T) string {
	if value == nil {
		return "-"
	}
	return fmt.Sprint(*value)
}
