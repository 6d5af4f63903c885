package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// memory of a process, in bytes.
type memory struct{ anonymous, all int64 }

// usage reads what a process takes: its own memory, and with files that are mapped, of which the journal's are some.
func (p *process) usage() (m memory) {
	p.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		p.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		name, rest, _ := strings.Cut(line, ":")
		var to *int64
		switch name {
		case "RssAnon":
			to = &m.anonymous
		case "VmRSS":
			to = &m.all
		default:
			continue
		}
		n, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
		if err != nil {
			p.t.Fatal(err)
		}
		*to = n << 10
	}
	return m
}

func (m memory) String() string {
	return fmt.Sprintf("%d MB (%d with mapped files)", m.anonymous>>20, m.all>>20)
}

// flat is by how much the server's own memory may grow while the database is away.
const flat = 64 << 20

// The database hangs under load, is then killed, and comes back: every event is answered at once and as ever, and the server's memory stays what it was. It is not parallel
// to others: how long an answer takes is measured.
func TestTorture_databaseHangs(t *testing.T) {
	r := newRig(t).withDatabase()
	r.start()
	f := r.load(stallRate)
	time.Sleep(time.Second)
	before := r.server.usage()
	most := before
	r.database.signal(syscall.SIGSTOP)
	for end := time.Now().Add(stallFor); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if now := r.server.usage(); now.anonymous > most.anonymous {
			most = now
		}
	}
	r.database.kill()
	r.startDatabase()
	time.Sleep(500 * time.Millisecond)
	got := f.end()
	drained := r.drained()
	after := r.server.usage()
	o := r.settle()
	t.Logf("seed %d: database hangs for %v under %d events/s, is killed and comes back: %v; memory %v before, at most %v meanwhile, %v after; answers p50 %v, p99.9 %v, slowest %v; caught up %v after the load",
		r.seed, stallFor, stallRate, o, before, most, after, got.Latency.Quantile(0.5), got.Latency.Quantile(0.999), got.Latency.Max(), drained.Round(time.Millisecond))
	if grown := most.anonymous - before.anonymous; grown > flat {
		t.Errorf("memory grew by %d MB", grown>>20)
	}
	if got.Latency.Max() > slowest {
		t.Errorf("the slowest answer took %v, and may take %v", got.Latency.Max(), slowest)
	}
	if len(got.Unknown) > 0 || len(got.Refused) > 0 {
		t.Errorf("%d events without an answer, refused %v", len(got.Unknown), got.Refused)
	}
}
