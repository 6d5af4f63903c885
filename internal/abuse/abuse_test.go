package abuse_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/daysalt/daysalt/internal/abuse"
)

// noon is a full minute.
var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// database is a sink that knows tokens. answer, where it is set, says what becomes of each insert: whether it is stored, and the error.
type database struct {
	t      testing.TB
	mu     sync.Mutex
	tokens map[string][]abuse.Row
	calls  int
	answer func(ctx context.Context) (stored bool, err error)
}

func newDatabase(tb testing.TB) *database {
	tb.Helper()
	return &database{t: tb, tokens: map[string][]abuse.Row{}}
}

func (d *database) InsertAbuse(ctx context.Context, token string, rows []abuse.Row) error {
	d.mu.Lock()
	answer := d.answer
	d.mu.Unlock()
	stored, err := true, error(nil)
	if answer != nil {
		stored, err = answer(ctx)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calls++
	if len(rows) == 0 {
		d.t.Error("an insert without a row")
	}
	if before, ok := d.tokens[token]; ok && !gocmp.Equal(before, rows, cmpopts.EquateComparable(netip.Addr{})) {
		d.t.Errorf("token %q came with other rows", token)
	}
	if stored {
		d.tokens[token] = slices.Clone(rows)
	}
	return err
}

// set changes what is answered from now on.
func (d *database) set(answer func(ctx context.Context) (bool, error)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.answer = answer
}

// inserts returns how often rows came.
func (d *database) inserts() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.calls
}

// rows returns what is stored, added up as the table does when it is read.
func (d *database) rows() []abuse.Row {
	d.mu.Lock()
	defer d.mu.Unlock()
	sums := map[abuse.Row]uint32{}
	for _, rows := range d.tokens {
		for _, r := range rows {
			n := r.Events
			r.Events = 0
			sums[r] += n
		}
	}
	all := []abuse.Row{}
	for r, n := range sums {
		r.Events = n
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b abuse.Row) int {
		return cmp.Or(cmp.Compare(a.SiteID, b.SiteID), cmp.Compare(a.Minute, b.Minute), a.Address.Compare(b.Address), cmp.Compare(a.Reason, b.Reason))
	})
	return all
}

func (d *database) events() uint64 {
	n := uint64(0)
	for _, r := range d.rows() {
		n += uint64(r.Events)
	}
	return n
}

func newRecorder(tb testing.TB, maxEntries int, sink abuse.Sink) *abuse.Recorder {
	tb.Helper()
	r, err := abuse.New(abuse.Config{MaxEntries: maxEntries}, sink, time.Now, nil)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

func flush(t *testing.T, r *abuse.Recorder) {
	t.Helper()
	if err := r.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func row(site uint32, minute time.Time, address, reason string, events uint32) abuse.Row {
	return abuse.Row{SiteID: site, Minute: minute.Unix(), Address: netip.MustParseAddr(address), Reason: reason, Events: events}
}

func expect(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := gocmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
		t.Errorf("%s: %s", what, diff)
	}
}

// What differs in anything is counted apart, and nothing else is.
func TestRecord_keys(t *testing.T) {
	sink := newDatabase(t)
	r := newRecorder(t, 0, sink)
	a, b := netip.MustParseAddr("192.0.0.0"), netip.MustParseAddr("2001:db8:1::")
	for range 3 {
		r.Record(1, noon, a, "kept")
	}
	r.Record(1, noon.Add(59*time.Second+999*time.Millisecond), a, "kept")
	r.Record(1, noon.In(time.FixedZone("", 20700)), a, "kept")
	r.Record(1, noon.Add(-time.Nanosecond), a, "kept")
	r.Record(1, noon.Add(time.Minute), a, "kept")
	r.Record(1, noon, a, "bot")
	r.Record(0, noon, a, "kept")
	r.Record(1, noon, b, "kept")
	flush(t, r)
	expect(t, "rows", sink.rows(), []abuse.Row{
		row(0, noon, "192.0.0.0", "kept", 1),
		row(1, noon.Add(-time.Minute), "192.0.0.0", "kept", 1),
		row(1, noon, "192.0.0.0", "bot", 1),
		row(1, noon, "192.0.0.0", "kept", 5),
		row(1, noon, "2001:db8:1::", "kept", 1),
		row(1, noon.Add(time.Minute), "192.0.0.0", "kept", 1),
	})
	expect(t, "stats", r.Stats(), abuse.Stats{Rows: 6})
	flush(t, r)
	if n := sink.inserts(); n != 1 {
		t.Errorf("%d inserts, want one for all", n)
	}
}

// Masked addresses of every level come out as they went in. One that is not masked, or carries a zone's text, is shortened.
func TestRecord_address(t *testing.T) {
	f := func(given netip.Addr, want string) {
		t.Helper()
		sink := newDatabase(t)
		r := newRecorder(t, 1, sink)
		r.Record(7, noon, given, "kept")
		flush(t, r)
		expect(t, given.String(), sink.rows(), []abuse.Row{row(7, noon, want, "kept", 1)})
	}
	for _, masked := range []string{"203.0.113.0", "203.0.0.0", "203.0.0.0", "0.0.0.0", "2001:db8:1:2::", "2001:db8:1::", "2001:d00::", "::"} {
		f(netip.MustParseAddr(masked), masked)
	}
	f(netip.MustParseAddr("::ffff:203.0.0.0"), "203.0.0.0")
	f(netip.MustParseAddr("203.0.113.77"), "203.0.113.0")
	f(netip.MustParseAddr("::ffff:203.0.113.77"), "203.0.113.0")
	f(netip.MustParseAddr("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::")
	f(netip.MustParseAddr("fe80::1%Zq7Marker"), "fe80::")
	f(netip.MustParseAddr("fe80::%Zq7Marker"), "fe80::")
	f(netip.Addr{}, "::")
}

func TestRecord_allocations(t *testing.T) {
	r := newRecorder(t, 0, newDatabase(t))
	f := func(address netip.Addr) {
		t.Helper()
		if got := testing.AllocsPerRun(200, func() { r.Record(1, noon, address, "kept") }); got != 0 {
			t.Errorf("%v: %v allocations", address, got)
		}
	}
	f(netip.MustParseAddr("192.0.0.0"))
	f(netip.MustParseAddr("::ffff:192.0.2.1"))
	f(netip.MustParseAddr("2001:db8:1:2:3:4:5:6"))
	f(netip.Addr{})
	var none *abuse.Recorder
	if got := testing.AllocsPerRun(200, func() { none.Record(1, noon, netip.Addr{}, "kept") }); got != 0 {
		t.Errorf("none: %v allocations", got)
	}
}

// A full minute loses new keys and says so; known ones go on, and the next minute begins empty.
func TestRecord_full(t *testing.T) {
	for _, most := range []int{1, 2, 3, 100} {
		sink := newDatabase(t)
		r := newRecorder(t, most, sink)
		fill := func(sites int) {
			for range 2 {
				for site := range sites {
					r.Record(uint32(site), noon, netip.Addr{}, "kept")
				}
			}
		}
		fill(most + 5)
		expect(t, "full", r.Stats(), abuse.Stats{Lost: 10})
		flush(t, r)
		expect(t, "written", r.Stats(), abuse.Stats{Lost: 10, Rows: uint64(most)})
		fill(most)
		flush(t, r)
		expect(t, "again", r.Stats(), abuse.Stats{Lost: 10, Rows: 2 * uint64(most)})
		if got := sink.events(); got != 4*uint64(most) {
			t.Errorf("%d events with room for %d", got, most)
		}
	}
}

// Those who meet on a new key take one place, not one each.
func TestRecord_fullConcurrently(t *testing.T) {
	for range 50 {
		r := newRecorder(t, 400, failing{})
		fill := func(from, to uint32) {
			for site := from; site < to; site++ {
				r.Record(site, noon, netip.Addr{}, "kept")
			}
		}
		var records sync.WaitGroup
		for range 4 {
			records.Go(func() { fill(0, 300) })
		}
		records.Wait()
		fill(300, 400)
		expect(t, "full", r.Stats(), abuse.Stats{})
		fill(400, 401)
		expect(t, "one more", r.Stats(), abuse.Stats{Lost: 1})
	}
}

func TestNew_limits(t *testing.T) {
	for _, most := range []int{-1, 10_000_001} {
		if r, err := abuse.New(abuse.Config{MaxEntries: most}, newDatabase(t), time.Now, nil); err == nil || r != nil {
			t.Errorf("%d: %v, %v", most, r, err)
		}
	}
}

func TestNil(t *testing.T) {
	var r *abuse.Recorder
	r.Record(1, noon, netip.MustParseAddr("192.0.2.1"), "kept")
	if err := errors.Join(r.Flush(t.Context()), r.Run(t.Context())); err != nil || r.Stats() != (abuse.Stats{}) {
		t.Errorf("%v, %+v", err, r.Stats())
	}
}

// Every event is counted once, whoever writes at the same moment and whether the database fails before or after it stored. The keys are few
// enough that all goroutines meet on them, and more than there is room for.
func TestRecord_concurrent(t *testing.T) {
	sink := newDatabase(t)
	sink.set(func(context.Context) (bool, error) {
		if rand.N(3) == 0 {
			return rand.N(2) == 0, errors.New("away")
		}
		return true, nil
	})
	r := newRecorder(t, 150, sink)
	var records, flushes sync.WaitGroup
	var recorded atomic.Uint64
	done := make(chan struct{})
	for range 8 {
		records.Go(func() {
			for {
				for i := range 200 {
					r.Record(uint32(i), noon, netip.AddrFrom4([4]byte{192, byte(i % 3)}), "kept")
				}
				recorded.Add(200)
				select {
				case <-done:
					return
				default:
					runtime.Gosched() // else eight of these take all the time there is
				}
			}
		})
	}
	for range 2 {
		flushes.Go(func() {
			for sink.inserts() < 200 {
				_ = r.Flush(context.Background())
				_ = r.Stats()
				runtime.Gosched()
			}
		})
	}
	flushes.Wait()
	close(done)
	records.Wait()
	sink.set(nil)
	flush(t, r)
	s := r.Stats()
	if got := sink.events() + s.Lost + s.Dropped; got != recorded.Load() {
		t.Errorf("%d of %d events: %d stored, %+v", got, recorded.Load(), sink.events(), s)
	}
	if sink.events() == 0 || s.Lost == 0 || s.Failures == 0 || s.Waiting != 0 {
		t.Errorf("%d stored, %+v", sink.events(), s)
	}
}

// However long the database is away and however many addresses come, memory stays bounded.
func TestMemory(t *testing.T) {
	const most = 20_000
	sink := failing{}
	r := newRecorder(t, most, sink)
	before := heap()
	for i := range 13 * 3 * most {
		r.Record(uint32(i), noon, netip.Addr{}, "kept")
		if i%(3*most) == 3*most-1 {
			_ = r.Flush(t.Context())
		}
	}
	for i := range 3 * most {
		r.Record(uint32(i), noon, netip.Addr{}, "kept")
	}
	used, s := heap()-before, r.Stats()
	t.Logf("%d bytes for each entry there may be; %+v", used/most, s)
	if used > most*1000 || s.Waiting > 10*most || s.Lost == 0 || s.Dropped == 0 {
		t.Errorf("%d bytes, %+v", used, s)
	}
	runtime.KeepAlive(r)
}

type failing struct{}

func (failing) InsertAbuse(context.Context, string, []abuse.Row) error { return errors.New("away") }

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// Tokens of two recorders differ even if everything else is the same: both may write to one database.
func TestToken_ofTwoNodes(t *testing.T) {
	sink := newDatabase(t)
	for range 2 {
		r := newRecorder(t, 0, sink)
		r.Record(1, noon, netip.Addr{}, "kept")
		flush(t, r)
	}
	if got := sink.events(); got != 2 {
		t.Errorf("%d events, want 2", got)
	}
}

func BenchmarkRecord(b *testing.B) {
	for _, addresses := range []int{1, 1000} {
		b.Run(fmt.Sprintf("addresses=%d", addresses), func(b *testing.B) {
			r := newRecorder(b, 0, newDatabase(b))
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for i := rand.Int(); pb.Next(); i++ {
					r.Record(1, noon, netip.AddrFrom4([4]byte{192, byte(i % addresses), byte(i % addresses >> 8), 0}), "kept")
				}
			})
		})
	}
}
