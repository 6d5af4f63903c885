package main

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/daysalt/daysalt/internal/testkit"
)

// traffic posts unique paths from several clients at once.
type traffic struct {
	client *http.Client
	round  int

	mu           sync.Mutex
	acknowledged []string
	unsure       []string // the connection ended before the answer came
	wrong        []string
	wait         sync.WaitGroup
	stop         chan struct{}
}

// Eight posters together stay below 800 events a second, and all rounds below the 10,000 rows of an answer.
const (
	posters    = 8
	postEvery  = 10 * time.Millisecond
	postAtMost = 1000
)

// startTraffic posts to a server until stopped; a poster whose connection fails ends.
func startTraffic(base, domain string, round int) *traffic {
	l := &traffic{client: newClient(), round: round, stop: make(chan struct{})}
	for poster := range posters {
		l.wait.Go(func() {
			for i := range postAtMost {
				select {
				case <-l.stop:
					return
				case <-time.After(postEvery):
				}
				if !l.post(base, domain, fmt.Sprintf("/%d/%d/%d", round, poster, i)) {
					return
				}
			}
		})
	}
	return l
}

func (l *traffic) post(base, domain, path string) bool {
	got, err := call(l.client, "POST", base+"/api/event", pageview(domain, path))
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err != nil:
		l.unsure = append(l.unsure, path)
	case got.status == 202 && got.header.Get("X-Plausible-Dropped") == "":
		l.acknowledged = append(l.acknowledged, path)
	default:
		l.wrong = append(l.wrong, fmt.Sprintf("%s: %d %s", path, got.status, got.body))
	}
	return err == nil
}

// reach waits until so many events were acknowledged, and returns how many were.
func (l *traffic) reach(t *testing.T, n int) int {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		l.mu.Lock()
		got := len(l.acknowledged)
		l.mu.Unlock()
		if got >= n {
			return got
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d events were acknowledged, %d were waited for", got, n)
		}
	}
}

// end stops posting and waits for the last answers.
func (l *traffic) end() {
	close(l.stop)
	l.wait.Wait()
	l.client.CloseIdleConnections()
}

// check compares what was acknowledged with what is stored: every acknowledged page once, every other one at most once, and nothing else.
func check(t *testing.T, pages map[string]int, loads ...*traffic) {
	t.Helper()
	known, lost, doubled := map[string]bool{}, 0, 0
	for _, l := range loads {
		for _, path := range l.acknowledged {
			known[path] = true
			if pages[path] == 0 {
				lost++
			}
		}
		for _, path := range l.unsure {
			known[path] = true
		}
		for _, text := range l.wrong {
			t.Errorf("not acknowledged: %s", text)
		}
	}
	for path, n := range pages {
		if n > 1 {
			doubled++
		}
		if !known[path] {
			t.Errorf("%s is stored %d times and was never posted", path, n)
		}
	}
	if lost > 0 || doubled > 0 {
		t.Errorf("%d acknowledged events are lost, %d are stored more than once", lost, doubled)
	}
}

// A clean stop under load: what was acknowledged is stored, and nothing twice. It ends at once although connections are open.
func TestStop(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := serve(t, dir, "--web-demo")
	l := startTraffic(p.base, demo, 0)
	l.reach(t, 300)
	began := time.Now()
	code := p.stop()
	took := time.Since(began)
	l.end()
	if code != 0 {
		t.Errorf("exit code %d", code)
	}
	if took > 5*time.Second {
		t.Errorf("it took %v to stop", took)
	}
	again := serve(t, dir, "--web-demo")
	pages := again.settled(demo)
	t.Logf("stopped within %v; %d acknowledged, %d unsure, %d stored", took.Round(time.Millisecond), len(l.acknowledged), len(l.unsure), len(pages))
	check(t, pages, l)
}

// A stop with nothing to do but an idle connection: it is no reason to wait.
func TestStop_idle(t *testing.T) {
	t.Parallel()
	p := serve(t, t.TempDir(), "--web-demo", "--admin-listen", freeAddress(t))
	client := newClient()
	if _, err := call(client, "GET", p.base+"/demo", ""); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if code := p.stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("it took %v to stop", took)
	}
}

// kill -9 under load, three times: before anything was stored, about when the first batch is, and when a batch is in the answers but in no
// checkpoint, so that it is sent again. What was acknowledged is stored exactly once.
func TestKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var loads []*traffic
	for round := range 3 {
		p := serve(t, dir, "--web-demo")
		l := startTraffic(p.base, demo, round)
		l.reach(t, 100)
		switch round {
		case 1:
			time.Sleep(time.Second) // how long a batch waits for more
		case 2:
			p.awaitPage(demo, "/2/0/0") // with the first batch of a segment comes a checkpoint
			l.post(p.base, demo, "/2/later")
			p.awaitPage(demo, "/2/later")
		}
		p.kill()
		l.end()
		loads = append(loads, l)
		t.Logf("round %d: %d acknowledged, %d unsure", round, len(l.acknowledged), len(l.unsure))
	}
	p := serve(t, dir, "--web-demo")
	pages := p.settled(demo)
	t.Logf("%d stored", len(pages))
	check(t, pages, loads...)
	if code := p.stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// startEngine serves ClickHouse alone.
func startEngine(t *testing.T, dir, address string) *process {
	t.Helper()
	p := start(t, nil, "engine", "--data-dir", dir, "--engine-library", testkit.Library(t), "--engine-listen", address)
	p.base = p.await(`ClickHouse answers at (\S+)\n`)
	return p
}

// sql asks the engine in ClickHouse's own language.
func (p *process) sql(query string) string {
	p.t.Helper()
	got := p.do("POST", "/", query)
	if got.status != 200 {
		p.t.Fatalf("%s: %+v", query, got)
	}
	return strings.TrimSpace(got.body)
}

// The database in another process is killed and comes back while events come in.
func TestRemote(t *testing.T) {
	t.Parallel()
	address, dir := freeAddress(t), t.TempDir()
	database := startEngine(t, dir, address)
	p := start(t, nil, "serve", "--data-dir", t.TempDir(), "--clickhouse-dsn", "http://"+address, "--web-listen", "127.0.0.1:0", "--admin-listen=", "--web-demo")
	p.base = p.await(`dashboard  (http://\S+)/\n`)
	p.post(demo, "/first")
	if got := p.awaitPage(demo, "/first"); len(got) != 0 {
		t.Errorf("besides the first page there are %v", got)
	}

	l := startTraffic(p.base, demo, 0)
	l.reach(t, 300)
	p.awaitPage(demo, "/0/0/0")
	database.kill()
	away := l.reach(t, 0)
	for deadline := time.Now().Add(20 * time.Second); !strings.Contains(p.log.String(), "shipping is held up"); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nothing was sent to a database that is away")
		}
	}
	l.reach(t, l.reach(t, 0)+200) // events are taken all the same
	if _, err := p.pages(demo); err == nil {
		t.Error("a question was answered without a database")
	}
	database = startEngine(t, dir, address)
	back := l.reach(t, 0)
	l.reach(t, back+200)
	l.end()
	pages := p.settled(demo)
	delete(pages, "/first")
	t.Logf("%d acknowledged, of these %d before the database was away and %d before it was back; %d stored", len(l.acknowledged), away, back, len(pages))
	check(t, pages, l)
	if len(l.unsure) > 0 {
		t.Errorf("%d events had no answer", len(l.unsure))
	}
	if code := p.stop(); code != 0 {
		t.Errorf("exit code %d of the server", code)
	}
	if code := database.stop(); code != 0 {
		t.Errorf("exit code %d of the engine", code)
	}
}
