package plain

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/daysalt/daysalt/internal/event"
)

// maxTold is how many differences are written out.
const maxTold = 10

// Difference is what is wrong with rows. The zero value is nothing.
type Difference struct {
	Rows int // that differ
	told []string
}

// Err returns an error with the first differences, or nil.
func (d *Difference) Err() error {
	if d.Rows == 0 {
		return nil
	}
	return fmt.Errorf("%d rows are not as they must be:\n%s", d.Rows, strings.Join(d.told, "\n"))
}

func (d *Difference) note(r *event.Row, format string, args ...any) {
	d.Rows++
	if len(d.told) < maxTold {
		d.told = append(d.told, fmt.Sprintf("site %d, day %d, visitor %x, visit %d, seq %d, %s at %d: %s",
			r.SiteID, r.Day, r.Visitor, r.VisitStart, r.Seq, r.Name, r.Time, fmt.Sprintf(format, args...)))
	}
}

// Compare sorts rows and compares what each says of its visit with what the rules say. It returns the visits too. The rows of a visitor and day are put
// in the order of the visits that they name: if these are wrong, it is an order in which something differs.
func Compare(rows []event.Row) ([]Visit, Difference) {
	slices.SortStableFunc(rows, func(a, b event.Row) int {
		return cmp.Or(cmp.Compare(a.SiteID, b.SiteID), cmp.Compare(a.Origin, b.Origin), cmp.Compare(a.Day, b.Day), cmp.Compare(a.Visitor, b.Visitor),
			order(isAlone(&a), isAlone(&b)), cmp.Compare(a.VisitStart, b.VisitStart), cmp.Compare(a.Seq, b.Seq))
	})
	var visits []Visit
	var d Difference
	for len(rows) > 0 {
		n := 1
		for n < len(rows) && personOf(&rows[n]) == personOf(&rows[0]) {
			n++
		}
		visits = append(visits, d.person(rows[:n])...)
		rows = rows[n:]
	}
	return visits, d
}

func order(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// person compares the rows of one person, behind which are those that are in no visit.
func (d *Difference) person(rows []event.Row) []Visit {
	joined := len(rows)
	for joined > 0 && isAlone(&rows[joined-1]) {
		joined--
	}
	visits, of := Visits(rows[:joined])
	next := make([]uint16, len(visits))
	for i := range rows[:joined] {
		r := &rows[i]
		if of[i] < 0 {
			if r.Visitor != 0 || r.VisitStart != r.Time || r.Seq != 0 || r.EntryHost != "" || r.EntryPage != "" {
				d.note(r, "it is in no visit")
			}
			continue
		}
		d.row(r, &visits[of[i]], next[of[i]])
		if next[of[i]] < math.MaxUint16 {
			next[of[i]]++
		}
	}
	for i := range rows[joined:] {
		if r := &rows[joined+i]; r.Visitor != 0 && !mayBeAlone(r, rows[:joined], of) {
			d.note(r, "a visit was open")
		}
	}
	return visits
}

// row compares a row with its visit, in which its place is seq.
func (d *Difference) row(r *event.Row, v *Visit, seq uint16) {
	switch f := &v.First; {
	case r.VisitStart != v.Start:
		d.note(r, "its visit began at %d", v.Start)
	case r.Seq != seq:
		d.note(r, "its place in the visit is %d", seq)
	case r.EntryHost != f.Hostname || r.EntryPage != f.Path:
		d.note(r, "its entry is not that of the first event")
	case attributes(r) != attributes(f):
		d.note(r, "its attributes are not those of the first event: %v, want %v", attributes(r), attributes(f))
	}
}

// jitter is how many seconds behind another one an event may stand that is older: handlers read the clock before they append.
const jitter = 5

// isAlone says whether a row says of itself that it is engagement in no visit. Its place among the visitor's other rows is not in the row.
func isAlone(r *event.Row) bool {
	return r.Kind == event.Engagement && r.Seq == 0 && r.VisitStart == r.Time && r.EntryHost == "" && r.EntryPage == ""
}

// mayBeAlone says whether there is a place for engagement among the rows of its person at which no visit was open. of is what Visits says of the rows.
func mayBeAlone(r *event.Row, rows []event.Row, of []int) bool {
	from := 0 // the first place: everything behind it is not older
	for i := range rows {
		if rows[i].Time < r.Time-jitter {
			from = i + 1
		}
	}
	last := int64(math.MinInt64 / 2) // of the visit that is open before place i
	for i := range len(rows) + 1 {
		if i > 0 {
			if i == 1 || of[i-1] != of[i-2] {
				last = math.MinInt64 / 2
			}
			last = max(last, rows[i-1].Time)
			if rows[i-1].Time > r.Time+jitter {
				return false
			}
		}
		if i >= from && r.Time-last > HalfHour {
			return true
		}
	}
	return false
}

// attributes returns what all rows of a visit share.
func attributes(r *event.Row) [14]string {
	return [14]string{
		r.Source, r.Channel, r.Referrer, r.UTMSource, r.UTMMedium, r.UTMCampaign, r.Country, r.Region, r.Browser, r.BrowserVersion, r.OS, r.OSVersion,
		r.Device, r.Language,
	}
}
