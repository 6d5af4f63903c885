package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/daysalt/daysalt/internal/event"
	loader "github.com/daysalt/daysalt/internal/load"
	"github.com/daysalt/daysalt/internal/testkit"
	"github.com/daysalt/daysalt/internal/testkit/ledger"
	"github.com/daysalt/daysalt/internal/testkit/plain"
)

// rig is a server under torture and what was sent to it. Its addresses stay the same when it is started again.
type rig struct {
	t    *testing.T
	seed uint64
	dir  string // of the server's data

	web, ops string                        // addresses
	more     []string                      // of the server's command line
	spawn    func(args ...string) *process // how its processes are started that see its data
	server   *process

	database    *process // nil for the embedded one
	databaseDir string
	databaseAt  string // its address

	sites  []string // domains, in the order in which they were made
	driver *loader.Driver
	book   ledger.Ledger
	hands  uint64 // events posted by hand
}

// newRig makes one with a seed of its own, which is printed. TORTURE_SEED sets it.
func newRig(t *testing.T, more ...string) *rig {
	t.Helper()
	seed := rand.Uint64() & (1<<24 - 1)
	if text := os.Getenv("TORTURE_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 24); err != nil {
			t.Fatalf("TORTURE_SEED: %v", err)
		}
	}
	r := &rig{t: t, seed: seed, dir: filepath.Join(t.TempDir(), "data"), web: lastingAddress(t), ops: lastingAddress(t), more: more, sites: []string{demo}}
	r.spawn = func(args ...string) *process { return start(t, nil, args...) }
	r.driver = loader.NewDriver(loader.New(loader.Config{Seed: seed, Sites: []string{demo}, Visitors: 5000, Pages: 200, IDs: true}), time.Now)
	return r
}

// withDatabase gives the rig a database in a process of its own, which is started.
func (r *rig) withDatabase() *rig {
	r.t.Helper()
	r.databaseDir, r.databaseAt = r.t.TempDir(), lastingAddress(r.t)
	r.more = append(r.more, "--clickhouse-dsn", "http://"+r.databaseAt)
	r.startDatabase()
	return r
}

func (r *rig) startDatabase() { r.database = startEngine(r.t, r.databaseDir, r.databaseAt) }

// lastingAddress returns an address that nobody listens on, with a port that is never given to a connection: it can be listened on again and again.
func lastingAddress(t *testing.T) string {
	t.Helper()
	for range 1000 {
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(10_000+rand.IntN(20_000)))
		if l, err := net.Listen("tcp", address); err == nil {
			_ = l.Close()
			return address
		}
	}
	t.Fatal("there is no free port")
	return ""
}

// start starts the server, and waits until it takes requests.
func (r *rig) start() {
	r.t.Helper()
	r.server = r.spawn(append([]string{
		"serve", "--data-dir", r.dir, "--engine-library", testkit.Library(r.t), "--web-listen", r.web, "--admin-listen", r.ops, "--web-demo",
		"--web-trusted-proxies", "127.0.0.1", "--log-level", "warn",
	}, r.more...)...)
	r.server.base = r.server.await(`dashboard  (http://\S+)/\n`)
}

// metric returns the sum of a metric's values.
func (r *rig) metric(name string) float64 {
	r.t.Helper()
	client := newClient()
	defer client.CloseIdleConnections()
	got, err := call(client, "GET", "http://"+r.ops+"/metrics", "")
	if err != nil || got.status != 200 {
		r.t.Fatalf("metrics: %+v, %v", got, err)
	}
	sum, found := 0.0, false
	for line := range strings.Lines(got.body) {
		rest, ok := strings.CutPrefix(line, name)
		if !ok || rest[0] != ' ' && rest[0] != '{' {
			continue
		}
		value, err := strconv.ParseFloat(strings.TrimSpace(rest[strings.LastIndexByte(rest, ' ')+1:]), 64)
		if err != nil {
			r.t.Fatalf("metrics: %s: %v", line, err)
		}
		sum, found = sum+value, true
	}
	if !found {
		r.t.Fatalf("there is no metric %s", name)
	}
	return sum
}

// flow is load that goes on in the background.
type flow struct {
	rig    *rig
	cancel context.CancelFunc
	result loader.Result
	err    error
	done   chan struct{}
}

// load sends events until end is called, flat out where rate is 0.
func (r *rig) load(rate float64) *flow {
	r.t.Helper()
	ctx, cancel := context.WithCancel(r.t.Context())
	f := &flow{rig: r, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(f.done)
		f.result, f.err = r.driver.Run(ctx, "http://"+r.web, loader.Options{Rate: rate, Connections: 32, Grace: 5 * time.Second})
	}()
	r.t.Cleanup(func() {
		cancel()
		<-f.done
	})
	return f
}

// end waits for the last answers, and notes in the book what became of the events.
func (f *flow) end() loader.Result {
	f.rig.t.Helper()
	f.cancel()
	<-f.done
	if f.err != nil {
		f.rig.t.Error(f.err)
	}
	b := &f.rig.book
	b.Send(f.result.Sent)
	b.Accept(f.result.Accepted...)
	b.Drop(f.result.Dropped...)
	b.Lose(f.result.Unknown...)
	for status, n := range f.result.Refused {
		b.Refuse(status, n)
	}
	return f.result
}

// loadFor sends events for a while.
func (r *rig) loadFor(d time.Duration, rate float64) loader.Result {
	r.t.Helper()
	f := r.load(rate)
	time.Sleep(d)
	return f.end()
}

// post sends a pageview by hand, from a visitor of its own. It returns the event's id and the answer.
func (r *rig) post(path string) (uint64, answer) {
	r.t.Helper()
	r.hands++
	id := r.seed<<40 | 1<<39 | r.hands
	body := fmt.Sprintf(`{"n":"pageview","u":"https://%s%s","d":%q,"p":{"id":%q}}`, demo, path, demo, loader.AppendID(nil, id))
	client := newClient()
	defer client.CloseIdleConnections()
	got, err := call(client, "POST", "http://"+r.web+"/api/event", body, "X-Forwarded-For", fmt.Sprintf("81.2.%d.%d", r.hands>>8&255, r.hands&255))
	if err != nil {
		r.t.Fatal(err)
	}
	r.book.Send(1)
	if got.status == 202 {
		r.book.Accept(id)
	} else {
		r.book.Refuse(got.status, 1)
	}
	return id, got
}

// drained waits until everything that the journal has is stored, and says how long that took.
func (r *rig) drained() time.Duration {
	r.t.Helper()
	began := time.Now()
	for calm := 0; calm < 3; time.Sleep(20 * time.Millisecond) {
		calm++
		if r.metric("daysalt_ship_lag_bytes") > 0 || r.metric("daysalt_ship_lag_seconds") > 0 {
			calm = 0
		}
		if time.Since(began) > 2*time.Minute {
			r.t.Fatalf("%v bytes are not stored", r.metric("daysalt_ship_lag_bytes"))
		}
	}
	return time.Since(began)
}

// outcome is what a rig ended with.
type outcome struct {
	ledger.Report
	visits int
}

// String is one line of numbers.
func (o outcome) String() string {
	return fmt.Sprintf("%v; %d visits as in the plain reference", o.Report, o.visits)
}

// settle waits until everything is stored, stops the server and checks what there is: the events against those that were sent, and the visits, bounces, durations,
// entries and exits, in rows and in answers, against a plain implementation.
func (r *rig) settle() outcome {
	r.t.Helper()
	r.drained()
	answered := make([]map[string]numbers, len(r.sites))
	for i, domain := range r.sites {
		answered[i] = r.answers(domain)
	}
	if code := r.server.stop(); code != 0 {
		r.t.Errorf("exit code %d of the server", code)
	}
	database, table := r.database, "events"
	if database == nil {
		database, table = r.openEmbedded(), "daysalt.events"
	}
	o := outcome{Report: r.book.Check(storedIDs(r.t, database, table))}
	if err := o.Err(); err != nil {
		r.t.Error(err)
	}
	o.visits = r.compare(database, table, answered)
	if code := database.stop(); code != 0 {
		r.t.Errorf("exit code %d of the engine", code)
	}
	return o
}

// openEmbedded serves the database that was the server's.
func (r *rig) openEmbedded() *process {
	r.t.Helper()
	p := r.spawn("engine", "--data-dir", r.dir, "--engine-library", testkit.Library(r.t), "--engine-listen", lastingAddress(r.t))
	p.base = p.await(`ClickHouse answers at (\S+)\n`)
	return p
}

// ask sends a query and calls f with the columns of every row of the answer.
func ask(t *testing.T, database *process, query string, f func(columns [][]byte)) {
	t.Helper()
	client := &http.Client{Timeout: 3 * time.Minute}
	defer client.CloseIdleConnections()
	got, err := client.Post(database.base+"/", "text/plain", strings.NewReader(query+" FORMAT TabSeparated"))
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	if got.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(got.Body)
		t.Fatalf("%s: %s", query, text)
	}
	lines := bufio.NewScanner(got.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		f(bytes.Split(lines.Bytes(), []byte{'\t'}))
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
}

// storedIDs returns how often each id is stored.
func storedIDs(t *testing.T, database *process, table string) map[uint64]int {
	t.Helper()
	stored := map[uint64]int{}
	bad := 0
	query := "SELECT prop_values[indexOf(prop_keys, 'id')] AS id, count() FROM " + table + " GROUP BY id"
	ask(t, database, query, func(columns [][]byte) {
		id, ok := loader.ParseID(string(columns[0]))
		if !ok {
			bad++
			return
		}
		stored[id] = atoi[int](t, columns[1])
	})
	if bad > 0 {
		t.Errorf("%d rows have no id", bad)
	}
	return stored
}

func atoi[T int | int8 | int64 | uint8 | uint16 | uint32 | uint64](t *testing.T, text []byte) T {
	t.Helper()
	n, err := strconv.ParseUint(string(text), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return T(n)
}

// rowColumns are the columns that readRow reads, in its order.
const rowColumns = "site_id, toUInt16(day), visitor, toUnixTimestamp(visit_start), seq, toUnixTimestamp(ts), toUInt8(kind), interactive, origin, name, hostname, path, " +
	"entry_host, entry_page, source, channel, referrer, utm_source, utm_medium, utm_campaign, country, region, browser, browser_version, os, os_version, device, language"

func readRow(t *testing.T, c [][]byte) event.Row {
	t.Helper()
	row := event.Row{
		Event: event.Event{
			SiteID: atoi[uint32](t, c[0]), Day: event.Day(atoi[uint16](t, c[1])), Visitor: atoi[uint64](t, c[2]), Time: atoi[int64](t, c[5]),
			Kind: event.Kind(atoi[uint8](t, c[6])), Interactive: string(c[7]) == "1",
		},
		VisitStart: atoi[int64](t, c[3]), Seq: atoi[uint16](t, c[4]), Origin: atoi[uint16](t, c[8]),
	}
	for i, to := range []*string{
		&row.Name, &row.Hostname, &row.Path, &row.EntryHost, &row.EntryPage, &row.Source, &row.Channel, &row.Referrer, &row.UTMSource, &row.UTMMedium,
		&row.UTMCampaign, &row.Country, &row.Region, &row.Browser, &row.BrowserVersion, &row.OS, &row.OSVersion, &row.Device, &row.Language,
	} {
		*to = string(c[9+i]) // Escaped as it is, which is as good to compare.
	}
	return row
}

// compare checks the rows' visits, and the product's answers, against the plain reference. It returns how many visits there are.
func (r *rig) compare(database *process, table string, answered []map[string]numbers) (visits int) {
	r.t.Helper()
	const parts = 8 // so that not all rows are in memory
	sums := make([][]plain.Total, len(r.sites))
	var first error
	wrong := 0
	for part := range parts {
		var rows []event.Row
		ask(r.t, database, fmt.Sprintf("SELECT %s FROM %s WHERE visitor %% %d = %d", rowColumns, table, parts, part), func(columns [][]byte) {
			rows = append(rows, readRow(r.t, columns))
		})
		found, different := plain.Compare(rows)
		if wrong += different.Rows; first == nil {
			first = different.Err()
		}
		for key, total := range plain.Totals(found) {
			sums[key.Site-1] = append(sums[key.Site-1], total)
		}
	}
	if first != nil {
		r.t.Errorf("%d rows are in the wrong visit, place or entry; %v", wrong, first)
	}
	for i, sum := range sums {
		all := plain.Merge(sum...)
		compareNumbers(r.t, all, answered[i])
		visits += all.Visits
	}
	return visits
}

// signal sends one to a process.
func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}
