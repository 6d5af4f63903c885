package store

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	chproto "github.com/ClickHouse/ch-go/proto"
	chcolumn "github.com/ClickHouse/clickhouse-go/v2/lib/column"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/ClickHouse/clickhouse-go/v2/lib/proto"
	"github.com/google/go-cmp/cmp"

	"github.com/daysalt/daysalt/internal/event"
	"github.com/daysalt/daysalt/internal/fault"
)

// fakeBatch is a batch of the driver without a connection.
type fakeBatch struct {
	driver.Batch

	block *proto.Block
}

func newFakeBatch(t *testing.T) fakeBatch {
	t.Helper()
	b := fakeBatch{block: &proto.Block{ServerContext: &chcolumn.ServerContext{Timezone: time.UTC}}}
	for _, c := range columns() {
		if err := b.block.AddColumn(c.name, chcolumn.Type(c.kind)); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

func (b fakeBatch) Columns() []chcolumn.Interface { return b.block.Columns }

// sent returns what a server would read of the batch: each column's value of each row. revision is the protocol's: 0 for HTTP here.
func (b fakeBatch) sent(t *testing.T, revision uint64, rows int) [][]any {
	t.Helper()
	var wire chproto.Buffer
	if err := b.block.Encode(&wire, revision); err != nil {
		t.Fatal(err)
	}
	read := proto.Block{ServerContext: &chcolumn.ServerContext{Timezone: time.UTC}}
	if err := read.Decode(chproto.NewReader(strings.NewReader(string(wire.Buf))), revision); err != nil {
		t.Fatal(err)
	}
	if read.Rows() != rows {
		t.Fatalf("%d rows on the wire, want %d", read.Rows(), rows)
	}
	values := make([][]any, rows)
	for i := range values {
		for _, c := range read.Columns {
			values[i] = append(values[i], c.Row(i, false))
		}
	}
	return values
}

// valuesOf returns a row's columns as the driver reads them.
func valuesOf(r *event.Row) []any {
	none := func(list []string) []string { return append([]string{}, list...) }
	return []any{
		r.SiteID, time.Unix(int64(r.Day)*86400, 0).UTC(), r.Visitor, time.Unix(r.VisitStart, 0).UTC(), r.Seq, time.Unix(r.Time, 0).UTC(),
		[]string{"pageview", "engagement", "custom"}[r.Kind], map[bool]uint8{true: 1}[r.Interactive], r.Name, r.Hostname, r.Path, r.EntryHost, r.EntryPage,
		r.Source, r.Channel, r.Referrer, r.ClickID, r.UTMSource, r.UTMMedium, r.UTMCampaign, r.UTMContent, r.UTMTerm, r.Country, r.Region, r.City,
		r.Browser, r.BrowserVersion, r.OS, r.OSVersion, r.Device, r.Screen, r.Language, none(r.PropKeys), none(r.PropValues),
		r.Scroll, r.EngagedMS, r.Amount, r.Currency, r.Origin, r.RetentionDays,
	}
}

// randomRows returns rows whose texts are each one of so many.
func randomRows(rng *rand.Rand, n, distinct int) []event.Row {
	text := func() string {
		k := rng.IntN(distinct)
		return strings.Repeat("x", k%23) + strconv.Itoa(k) // of all lengths around 4, 8 and 16
	}
	rows := make([]event.Row, n)
	for i := range rows {
		r := &rows[i]
		r.SiteID, r.Day, r.Visitor, r.VisitStart, r.Time, r.Seq = rng.Uint32(), event.Day(rng.Uint32()), rng.Uint64(), int64(rng.Uint32()), int64(rng.Uint32()), uint16(rng.Uint32())
		r.Kind, r.Interactive, r.City, r.Scroll, r.EngagedMS = event.Kind(rng.IntN(3)), rng.IntN(2) == 1, rng.Uint32(), uint8(rng.Uint32()), rng.Uint32()
		r.Amount, r.Origin, r.RetentionDays = int64(rng.Uint64()), uint16(rng.Uint32()), uint16(rng.Uint32())
		for _, s := range []*string{
			&r.Name, &r.Hostname, &r.Path, &r.EntryHost, &r.EntryPage, &r.Source, &r.Channel, &r.Referrer, &r.ClickID, &r.UTMSource, &r.UTMMedium, &r.UTMCampaign,
			&r.UTMContent, &r.UTMTerm, &r.Country, &r.Region, &r.Browser, &r.BrowserVersion, &r.OS, &r.OSVersion, &r.Device, &r.Screen, &r.Language, &r.Currency,
		} {
			if rng.IntN(3) > 0 {
				*s = text()
			}
		}
		for range rng.IntN(4) * rng.IntN(2) {
			r.PropKeys, r.PropValues = append(r.PropKeys, text()), append(r.PropValues, text())
		}
	}
	return rows
}

// What goes over the wire is what the rows hold, over HTTP and in the native protocol, whatever an earlier insert left in the buffers. The
// driver's columns are filled in a way of our own: this test is what tells that a new version of the driver does not allow it any more.
func TestBlock_wire(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	b := newBlock()
	f := func(rows []event.Row) {
		t.Helper()
		defer b.reset()
		if err := b.add(rows); err != nil {
			t.Fatal(err)
		}
		batch := newFakeBatch(t)
		if err := b.move(batch, len(rows)); err != nil {
			t.Fatal(err)
		}
		for _, revision := range []uint64{0, proto.DBMS_TCP_PROTOCOL_VERSION} {
			got := batch.sent(t, revision, len(rows))
			for i := range rows {
				if diff := cmp.Diff(valuesOf(&rows[i]), got[i]); diff != "" {
					t.Fatalf("revision %d, row %d of %d: %s", revision, i, len(rows), diff)
				}
			}
		}
	}
	f(randomRows(rng, 1, 1))
	f(make([]event.Row, 3)) // without a text or a property in any row
	for _, n := range []int{255, 256, 257, 1000} {
		f(randomRows(rng, n, 5))
		f(randomRows(rng, n, 1_000_000))
	}
	for _, distinct := range []int{254, 255, 256, 257} { // where a key begins to need two bytes
		f(randomRows(rng, 2000, distinct))
	}
	f(randomRows(rng, 10, 3))
	rows := randomRows(rng, 66_000, 2) // and four
	for i := range rows {
		rows[i].Path, rows[i].EntryPage, rows[i].Name = fmt.Sprint("/page/of/some/length/", i), strconv.Itoa(i%65_536), strconv.Itoa(i%65_535)
	}
	f(rows)
	f(rows[:10])
}

// What the engine would take and nothing could read, or could not be paired, is refused here.
func TestBlock_refuses(t *testing.T) {
	f := func(field string, change func(r *event.Row)) {
		t.Helper()
		rows := randomRows(rand.New(rand.NewPCG(1, 1)), 600, 3)
		change(&rows[599])
		b := newBlock()
		err := b.add(rows)
		if x, ok := errors.AsType[*fault.Error](err); !ok || x.Kind != fault.Invalid || x.Field != field {
			t.Errorf("want a fault of %s, got %v", field, err)
		}
	}
	f("visit_start", func(r *event.Row) { r.VisitStart = -1 })
	f("visit_start", func(r *event.Row) { r.VisitStart = math.MaxUint32 + 1 })
	f("ts", func(r *event.Row) { r.Time = -1 })
	f("ts", func(r *event.Row) { r.Time = math.MaxUint32 + 1 })
	f("kind", func(r *event.Row) { r.Kind = 3 })
	f("prop_values", func(r *event.Row) { r.PropKeys = append(r.PropKeys, "one more") })
}

// A batch with other columns is not filled.
func TestBlock_otherColumns(t *testing.T) {
	f := func(change func(b *proto.Block)) {
		t.Helper()
		b, batch := newBlock(), newFakeBatch(t)
		change(batch.block)
		if err := b.add(make([]event.Row, 2)); err != nil {
			t.Fatal(err)
		}
		if err := b.move(batch, 2); err == nil || fault.KindOf(err) != fault.Internal {
			t.Errorf("kind %d, %v", fault.KindOf(err), err)
		}
	}
	f(func(b *proto.Block) { b.Columns = b.Columns[1:] })
	f(func(b *proto.Block) { b.Columns[8], b.Columns[9] = b.Columns[9], b.Columns[8] })
	f(func(b *proto.Block) { b.Columns[24], _ = chcolumn.Type("Int32").Column("city", b.ServerContext) }) // as many bytes
	f(func(b *proto.Block) { b.Columns[8], _ = chcolumn.Type("String").Column("name", b.ServerContext) })
}

// An insert's buffers are used again by the next, and hold nothing of its rows in between.
func TestBlock_reuse(t *testing.T) {
	rows := randomRows(rand.New(rand.NewPCG(1, 1)), 5000, 2000)
	b := newBlock()
	fill := func() {
		if err := b.add(rows); err != nil {
			t.Error(err)
		}
		b.reset()
	}
	fill()
	if n := testing.AllocsPerRun(10, fill); n != 0 {
		t.Errorf("%v allocations in a warm fill, want 0", n)
	}
	for _, c := range b.columns {
		if x, ok := c.values.(*texts); ok {
			for _, s := range x.dict.texts[:cap(x.dict.texts)] {
				if s != "" {
					t.Fatalf("column %s keeps a text", c.name)
				}
			}
		}
	}
}

// Texts that are chosen to meet in one place of the table are found all the same.
func TestDictionary(t *testing.T) {
	d := newDictionary()
	want := map[string]uint32{"": 0}
	rng := rand.New(rand.NewPCG(3, 3))
	for range 200_000 {
		s := strconv.Itoa(rng.IntN(40_000))
		s = s[:min(len(s), 1+rng.IntN(6))] + strings.Repeat("-", rng.IntN(2)*rng.IntN(20))
		if rng.IntN(100) == 0 {
			s = ""
		}
		n := d.number(s)
		if known, ok := want[s]; ok && known != n || !ok && n != uint32(len(want)) {
			t.Fatalf("%q has number %d, want %d", s, n, known)
		}
		want[s] = n
	}
	for s, n := range want {
		if d.texts[n] != s {
			t.Fatalf("text %d is %q, want %q", n, d.texts[n], s)
		}
	}
	if len(d.slots) <= slotsKept {
		t.Fatalf("%d texts do not test what becomes of a large table", len(want))
	}
	d.reset()
	if len(d.slots) != slotsAtFirst || d.number("x") != 1 {
		t.Error("a large table is kept")
	}
}
