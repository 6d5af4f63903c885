package app

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics returns the handler of /metrics. Components count with atomics and know nothing of Prometheus; their counters are read when
// somebody asks.
func (a *App) metrics() http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), &lineCollector{app: a})
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
}

// lineCollector turns the parts' Stats into metrics.
type lineCollector struct{ app *App }

// Describe announces nothing in advance: the names are in Collect alone.
func (*lineCollector) Describe(chan<- *prometheus.Desc) {}

// Collect reads every part's counters.
func (c *lineCollector) Collect(out chan<- prometheus.Metric) {
	counter := func(name, help string, value float64, labels ...string) {
		out <- metric(prometheus.CounterValue, name, help, value, labels)
	}
	gauge := func(name, help string, value float64) { out <- metric(prometheus.GaugeValue, name, help, value, nil) }

	in := c.app.ingest.Stats()
	counter("daysalt_ingest_kept_total", "Events kept.", float64(in.Kept))
	counter("daysalt_ingest_invalid_total", "Bodies refused with 400.", float64(in.Invalid))
	for reason, n := range in.Dropped {
		counter("daysalt_ingest_dropped_total", "Events dropped, by reason.", float64(n), "reason", reason)
	}

	j := c.app.journal.Stats()
	gauge("daysalt_journal_bytes", "Disk space the journal uses.", float64(j.Bytes))
	gauge("daysalt_journal_quota_bytes", "Disk space the journal may use.", float64(j.Quota))
	gauge("daysalt_journal_segments", "Segment files of the journal.", float64(j.Segments))
	counter("daysalt_journal_frames_total", "Frames appended.", float64(j.Frames))
	counter("daysalt_journal_refused_total", "Frames refused because the quota or the disk is full: answered with 503.", float64(j.Refused))
	counter("daysalt_journal_write_errors_total", "Failed writes.", float64(j.WriteErrors))
	counter("daysalt_journal_sync_errors_total", "Failed flushes to the disk.", float64(j.SyncErrors))
	counter("daysalt_journal_skipped_bytes_total", "Damaged bytes that reading went over.", float64(j.Skipped))
	counter("daysalt_journal_bad_segments_total", "Segment files that could not be read at the start.", float64(j.BadSegments))
	counter("daysalt_journal_holes_total", "Times shipping waited for an append that had begun and was not done.", float64(j.HolesWaited))
	counter("daysalt_journal_abandoned_total", "Appends whose place was given up after a long wait, and which were done anew.", float64(j.Abandoned))
	counter("daysalt_journal_stalls_total", "Appends that waited for the next segment file.", float64(j.Stalls))

	c.app.retention.overdue(func(class string, seconds float64) {
		const help = "Time since the first of what is there should have been deleted, by class of data."
		out <- metric(prometheus.GaugeValue, "daysalt_retention_overdue_seconds", help, seconds, []string{"class", class})
	})
	c.keys(counter, gauge)
	c.ship(counter, gauge)
}

// ship says what was stored, what was not, and what lies ahead.
func (c *lineCollector) ship(counter func(name, help string, value float64, labels ...string), gauge func(name, help string, value float64)) {
	s := c.app.ship.Stats()
	counter("daysalt_ship_rows_total", "Events stored in ClickHouse.", float64(s.Rows))
	counter("daysalt_ship_batches_total", "Batches stored in ClickHouse.", float64(s.Batches))
	counter("daysalt_ship_retries_total", "Inserts that failed and were tried again.", float64(s.Retries))
	counter("daysalt_ship_duplicates_total", "Lines of imports that were sent again and dropped.", float64(s.Duplicates))
	counter("daysalt_ship_forgotten_visits_total", "Visits of imports forgotten for want of room while they could have gone on.", float64(s.Forgotten))
	counter("daysalt_ship_quarantined_total", "Frames that could not be read and were put aside.", float64(s.Quarantined))
	counter("daysalt_ship_quarantined_rows_total", "Events that the database refused for their content and that were put aside.", float64(s.QuarantinedRows))
	counter("daysalt_ship_split_total", "Batches, or parts of one, that were refused for their content and sent in two parts.", float64(s.Split))
	counter("daysalt_ship_skipped_total", "Damaged pieces of the journal that were put aside.", float64(s.Skipped))
	counter("daysalt_ship_expired_total", "Events erased in the journal because they were too old.", float64(s.Expired))
	counter("daysalt_ship_replays_total", "Times the last minutes were sent again because the database or the machine was restarted.", float64(s.Replays))
	counter("daysalt_ship_known_total", "Events found in the database after a restart, and not sent again.", float64(s.Known))
	counter("daysalt_ship_checkpoint_errors_total", "Checkpoints that could not be written.", float64(s.CheckpointErrors))
	gauge("daysalt_ship_lag_bytes", "Bytes of the journal that are not stored yet.", float64(s.LagBytes))
	gauge("daysalt_ship_lag_seconds", "Age of the oldest event that is not stored yet.", float64(s.LagSeconds))
	gauge("daysalt_ship_open_visits", "Visits that the next event may join.", float64(s.OpenVisits))
}

// keys says how many keys there are, and nothing else of them.
func (c *lineCollector) keys(counter func(name, help string, value float64, labels ...string), gauge func(name, help string, value float64)) {
	k := c.app.keys.Stats()
	locked := 0.0
	if k.Locked {
		locked = 1
	}
	gauge("daysalt_salt_keys", "Keys of visitor numbers that exist now.", float64(k.InUse))
	counter("daysalt_salt_destroyed_total", "Keys destroyed at the end of their day.", float64(k.Destroyed))
	counter("daysalt_salt_own_total", "Keys this node made because the shared store did not answer: a visitor has another number on each node.", float64(k.Own))
	gauge("daysalt_salt_zones_behind", "Time zones in which the clock is before the latest date seen: events are counted on that date.", float64(k.Behind))
	gauge("daysalt_salt_locked", "1 where the keys' memory cannot be swapped.", locked)
	if a := c.app.abuse; a != nil {
		s := a.Stats()
		counter("daysalt_abuse_rows_total", "Rows of masked addresses stored.", float64(s.Rows))
		counter("daysalt_abuse_failures_total", "Inserts of masked addresses that failed and are tried again.", float64(s.Failures))
		counter("daysalt_abuse_lost_total", "Events whose masked address was not noted: too many in a minute, or the database was away.", float64(s.Lost+s.Dropped))
	}
}

// metric makes one value; labels are pairs of name and value.
func metric(kind prometheus.ValueType, name, help string, value float64, labels []string) prometheus.Metric {
	var names, values []string
	for i := 0; i+1 < len(labels); i += 2 {
		names, values = append(names, labels[i]), append(values, labels[i+1])
	}
	return prometheus.MustNewConstMetric(prometheus.NewDesc(name, help, names, nil), kind, value, values...)
}
