package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
)

// Disk is how much room events take, after OPTIMIZE FINAL.
type Disk struct {
	Events        int      `json:"events"`
	Bytes         int64    `json:"bytes"` // of all files of the table's parts
	BytesPerEvent float64  `json:"bytes_per_event"`
	Columns       []Column `json:"columns"` // the largest first
}

// Column is one column's share of Disk: its data, compressed, and the marks into it. What no column has is the primary index and the parts' small files.
type Column struct {
	Name          string  `json:"name"`
	Bytes         int64   `json:"bytes"`
	BytesPerEvent float64 `json:"bytes_per_event"`
}

// disk merges the table as far as it goes and reads what is left. A small table's columns would be in one file, and nobody could tell how large each is; a
// busy site's are not.
func (a *asker) disk(ctx context.Context) (*Disk, error) {
	for _, sql := range []string{"ALTER TABLE events MODIFY SETTING min_bytes_for_wide_part = 0, min_rows_for_wide_part = 0", "OPTIMIZE TABLE events FINAL"} {
		if _, err := a.ask(ctx, sql); err != nil {
			return nil, err
		}
	}
	const active = " WHERE active AND database = currentDatabase() AND table = 'events'"
	total, err := a.table(ctx, "SELECT sum(rows), sum(bytes_on_disk) FROM system.parts"+active)
	if err != nil {
		return nil, err
	}
	columns, err := a.table(ctx, "SELECT column, sum(column_data_compressed_bytes + column_marks_bytes) AS bytes FROM system.parts_columns"+
		active+" GROUP BY column ORDER BY bytes DESC, column")
	if err != nil {
		return nil, err
	}
	d := &Disk{}
	if len(total) != 1 || len(total[0]) != 2 {
		return nil, errors.New("cannot read how large the table is")
	}
	if d.Events, err = strconv.Atoi(total[0][0]); err == nil {
		d.Bytes, err = strconv.ParseInt(total[0][1], 10, 64)
	}
	per := func(n int64) float64 { return float64(n) / float64(max(1, d.Events)) }
	d.BytesPerEvent = per(d.Bytes)
	for i := 0; err == nil && i < len(columns); i++ {
		c := Column{Name: columns[i][0]}
		c.Bytes, err = strconv.ParseInt(columns[i][1], 10, 64)
		c.BytesPerEvent = per(c.Bytes)
		d.Columns = append(d.Columns, c)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read how large the table is: %w", err)
	}
	return d, nil
}

// Print writes it as text.
func (d *Disk) Print(w io.Writer) {
	fmt.Fprintf(w, "%d events take %d bytes: %.2f bytes per event\n", d.Events, d.Bytes, d.BytesPerEvent)
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', tabwriter.AlignRight)
	for _, c := range d.Columns {
		if c.BytesPerEvent >= 0.0005 {
			fmt.Fprintf(t, "\t%s\t%.3f\t\n", c.Name, c.BytesPerEvent)
		}
	}
	_ = t.Flush() // writes to w
}
