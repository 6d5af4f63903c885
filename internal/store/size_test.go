package store_test

import (
	"fmt"
	"strconv"
	"testing"
)

// A month of traffic of six sites takes at most 14.5 bytes an event once its parts are merged. The bar is 20 and the aim 13; dictionaries and
// marks weigh more in as few rows as here. The log says what each column takes.
func TestSize(t *testing.T) {
	s := open(t)
	const batches, size = 4, 50_000
	g := newTraffic(7, 30*86400.0/(batches*size))
	for i := range batches {
		if err := s.Insert(t.Context(), strconv.Itoa(i), g.rows(size)); err != nil {
			t.Fatal(err)
		}
	}
	ask(t, s, "ALTER TABLE events MODIFY SETTING min_bytes_for_wide_part = 0", nil) // as a part of two million rows is
	ask(t, s, "OPTIMIZE TABLE events FINAL", nil)
	columns := map[string]float64{}
	for _, line := range ask(t, s, `SELECT concat(rightPad(column, 16), leftPad(toString(round(sum(column_data_compressed_bytes) / sum(rows), 3)), 6))
		FROM system.parts_columns WHERE active AND table = 'events' AND database = currentDatabase() GROUP BY column ORDER BY sum(column_data_compressed_bytes) DESC`, nil) {
		t.Log(line)
		var name string
		var bytes float64
		if _, err := fmt.Sscan(line, &name, &bytes); err != nil {
			t.Fatal(err)
		}
		columns[name] = bytes
	}
	mix := ask(t, s, "SELECT toString(arrayMap(n -> round(n / count() * 100), [countIf(kind = 'pageview'), countIf(kind = 'engagement'), countIf(kind = 'custom')])) FROM events", nil)[0]
	visits := ask(t, s, "SELECT toString(round(count() / uniq(site_id, day, visitor, visit_start), 1)) FROM events", nil)[0]
	t.Logf("%s %% pageviews, engagement, custom; %s events a visit", mix, visits)
	all := ask(t, s, "SELECT toString(round(sum(bytes_on_disk) / sum(rows), 2)) FROM system.parts WHERE active AND table = 'events' AND database = currentDatabase()", nil)[0]
	t.Logf("%s bytes an event, with everything", all)
	if bytes, err := strconv.ParseFloat(all, 64); err != nil || bytes > 14.5 || bytes < 8 {
		t.Errorf("%s bytes an event, want between 8 and 14.5 (%v)", all, err)
	}
	for column, most := range map[string]float64{"kind": 0.2, "interactive": 0.14, "seq": 0.32, "path": 1.05, "ts": 2, "visitor": 2.2} {
		if columns[column] > most || columns[column] == 0 {
			t.Errorf("column %s takes %v bytes an event, want at most %v", column, columns[column], most)
		}
	}
}
