package store

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"

	"github.com/daysalt/daysalt/internal/event"
)

// column is one column of the events table, and its values in ClickHouse's native encoding while an insert is being made. The prefix of a
// LowCardinality column is not among them: the driver writes it.
type column struct {
	name, kind string // as in the migration
	values     values
}

// values collects one column's values of rows. What it keeps of them are views until reset.
type values interface {
	reset()
	// add appends the values of rows. Its error is about their content and does not quote it.
	add(rows []event.Row) error
	// append appends the encoded column to pieces, which share the memory of the values.
	append(pieces [][]byte) [][]byte
}

var (
	errTime  = errors.New("is not between 1970-01-01 and 2106-02-07")
	errKind  = errors.New("is none of the kinds")
	errProps = errors.New("are not as many as the keys")
)

// columns returns the events table's columns in the order of the migration.
func columns() []column {
	return []column{
		{"site_id", "UInt32", fixed(4, func(b []byte, r *event.Row) { binary.LittleEndian.PutUint32(b, r.SiteID) })},
		{"day", "Date", fixed(2, func(b []byte, r *event.Row) { binary.LittleEndian.PutUint16(b, uint16(r.Day)) })},
		{"visitor", "UInt64", fixed(8, func(b []byte, r *event.Row) { binary.LittleEndian.PutUint64(b, r.Visitor) })},
		{"visit_start", "DateTime('UTC')", times(func(r *event.Row) int64 { return r.VisitStart })},
		{"seq", "UInt16", fixed(2, func(b []byte, r *event.Row) { binary.LittleEndian.PutUint16(b, r.Seq) })},
		{"ts", "DateTime('UTC')", times(func(r *event.Row) int64 { return r.Time })},
		{"kind", "Enum8('pageview' = 0, 'engagement' = 1, 'custom' = 2)", checked(fixed(1, func(b []byte, r *event.Row) { b[0] = byte(r.Kind) }), known)},
		{"interactive", "UInt8", fixed(1, func(b []byte, r *event.Row) { b[0] = bit(r.Interactive) })},
		text("name", func(r *event.Row) string { return r.Name }),
		text("hostname", func(r *event.Row) string { return r.Hostname }),
		text("path", func(r *event.Row) string { return r.Path }),
		text("entry_host", func(r *event.Row) string { return r.EntryHost }),
		text("entry_page", func(r *event.Row) string { return r.EntryPage }),
		text("source", func(r *event.Row) string { return r.Source }),
		text("channel", func(r *event.Row) string { return r.Channel }),
		text("referrer", func(r *event.Row) string { return r.Referrer }),
		text("click_id", func(r *event.Row) string { return r.ClickID }),
		text("utm_source", func(r *event.Row) string { return r.UTMSource }),
		text("utm_medium", func(r *event.Row) string { return r.UTMMedium }),
		text("utm_campaign", func(r *event.Row) string { return r.UTMCampaign }),
		text("utm_content", func(r *event.Row) string { return r.UTMContent }),
		text("utm_term", func(r *event.Row) string { return r.UTMTerm }),
		text("country", func(r *event.Row) string { return r.Country }),
		text("region", func(r *event.Row) string { return r.Region }),
		{"city", "UInt32", fixed(4, func(b []byte, r *event.Row) { binary.LittleEndian.PutUint32(b, r.City) })},
		text("browser", func(r *event.Row) string { return r.Browser }),
		text("browser_version", func(r *event.Row) string { return r.BrowserVersion }),
		text("os", func(r *event.Row) string { return r.OS }),
		text("os_version", func(r *event.Row) string { return r.OSVersion }),
		text("device", func(r *event.Row) string { return r.Device }),
		text("screen", func(r *event.Row) string { return r.Screen }),
		text("language", func(r *event.Row) string { return r.Language }),
		{"prop_keys", "Array(LowCardinality(String))", &arrays{of: func(r *event.Row) []string { return r.PropKeys }, texts: newTexts(nil)}},
		{"prop_values", "Array(String)", checked(&arrays{of: func(r *event.Row) []string { return r.PropValues }}, paired)},
		{"scroll", "UInt8", fixed(1, func(b []byte, r *event.Row) { b[0] = r.Scroll })},
		{"engaged_ms", "UInt32", fixed(4, func(b []byte, r *event.Row) { binary.LittleEndian.PutUint32(b, r.EngagedMS) })},
		{"amount", "Int64", fixed(8, func(b []byte, r *event.Row) { binary.LittleEndian.PutUint64(b, uint64(r.Amount)) })},
		text("currency", func(r *event.Row) string { return r.Currency }),
		{"origin", "UInt16", fixed(2, func(b []byte, r *event.Row) { binary.LittleEndian.PutUint16(b, r.Origin) })},
		{"retention_days", "UInt16", fixed(2, func(b []byte, r *event.Row) { binary.LittleEndian.PutUint16(b, r.RetentionDays) })},
	}
}

func bit(b bool) uint8 {
	if b {
		return 1
	}
	return 0
}

// numbers are values of a fixed number of bytes, in the order of their rows.
type numbers struct {
	size  int
	put   func(b []byte, r *event.Row)
	bytes []byte
}

func fixed(size int, put func(b []byte, r *event.Row)) *numbers {
	return &numbers{size: size, put: put}
}

func (n *numbers) reset() { n.bytes = n.bytes[:0] }

func (n *numbers) add(rows []event.Row) error {
	at := len(n.bytes)
	n.bytes = extend(n.bytes, n.size*len(rows))
	for i := range rows {
		n.put(n.bytes[at:], &rows[i])
		at += n.size
	}
	return nil
}

func (n *numbers) append(pieces [][]byte) [][]byte { return append(pieces, n.bytes) }

// check are values that the engine would take although nothing could read them afterwards.
type check struct {
	values
	row func(r *event.Row) error
}

func checked(v values, row func(r *event.Row) error) *check { return &check{values: v, row: row} }

func (c *check) add(rows []event.Row) error {
	for i := range rows {
		if err := c.row(&rows[i]); err != nil {
			return err
		}
	}
	return c.values.add(rows)
}

// times are seconds since 1970 in 32 bits.
func times(of func(r *event.Row) int64) *check {
	seconds := fixed(4, func(b []byte, r *event.Row) { binary.LittleEndian.PutUint32(b, uint32(of(r))) })
	return checked(seconds, func(r *event.Row) error {
		if t := of(r); t < 0 || t > math.MaxUint32 {
			return errTime
		}
		return nil
	})
}

func known(r *event.Row) error {
	if r.Kind > event.Custom {
		return errKind
	}
	return nil
}

func paired(r *event.Row) error {
	if len(r.PropKeys) != len(r.PropValues) {
		return errProps
	}
	return nil
}

// texts are values of LowCardinality(String).
type texts struct {
	of   func(r *event.Row) string
	dict dictionary
	keys keys
	head []byte   // the dictionary, encoded
	some []uint32 // scratch of add
}

func newTexts(of func(r *event.Row) string) *texts {
	return &texts{of: of, dict: newDictionary(), keys: keys{wide: 1}}
}

func text(name string, of func(r *event.Row) string) column {
	return column{name, "LowCardinality(String)", newTexts(of)}
}

func (t *texts) reset() {
	t.dict.reset()
	t.keys.reset()
}

func (t *texts) add(rows []event.Row) error {
	t.some = slices.Grow(t.some[:0], len(rows))[:len(rows)]
	for i := range rows {
		t.some[i] = t.dict.number(t.of(&rows[i]))
	}
	t.flush()
	return nil
}

// flush moves the numbers of some to the keys.
func (t *texts) flush() { t.keys.add(t.some, uint32(len(t.dict.texts)-1)) }

// append writes what a server writes: the kind of the keys, the dictionary, the keys.
func (t *texts) append(pieces [][]byte) [][]byte {
	if t.keys.count == 0 { // of an array that has no element in any row
		return pieces
	}
	const ownDictionary = 1<<9 | 1<<10 // it stands here, and is not that of the block before
	width := map[int]uint64{1: 0, 2: 1, 4: 2}[t.keys.wide]
	t.head = binary.LittleEndian.AppendUint64(t.head[:0], ownDictionary|width)
	t.head = binary.LittleEndian.AppendUint64(t.head, uint64(len(t.dict.texts)))
	for _, s := range t.dict.texts {
		t.head = append(binary.AppendUvarint(t.head, uint64(len(s))), s...)
	}
	t.head = binary.LittleEndian.AppendUint64(t.head, uint64(t.keys.count))
	return append(pieces, t.head, t.keys.bytes)
}

// arrays are lists of texts: where each row's ends, then all texts, LowCardinality where texts is set.
type arrays struct {
	of    func(r *event.Row) []string
	texts *texts
	ends  []byte
	count uint64
	plain []byte
}

func (a *arrays) reset() {
	a.ends, a.plain, a.count = a.ends[:0], a.plain[:0], 0
	if a.texts != nil {
		a.texts.reset()
	}
}

func (a *arrays) add(rows []event.Row) error {
	if a.texts != nil {
		a.texts.some = a.texts.some[:0]
	}
	for i := range rows {
		list := a.of(&rows[i])
		for _, s := range list {
			if a.texts != nil {
				a.texts.some = append(a.texts.some, a.texts.dict.number(s))
			} else {
				a.plain = append(binary.AppendUvarint(a.plain, uint64(len(s))), s...)
			}
		}
		a.count += uint64(len(list))
		a.ends = binary.LittleEndian.AppendUint64(a.ends, a.count)
	}
	if a.texts != nil {
		a.texts.flush()
	}
	return nil
}

func (a *arrays) append(pieces [][]byte) [][]byte {
	pieces = append(pieces, a.ends)
	if a.texts != nil {
		return a.texts.append(pieces)
	}
	return append(pieces, a.plain)
}
