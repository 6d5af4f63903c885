package load_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daysalt/daysalt/internal/load"
)

// raw is a server that answers as told.
type raw struct {
	listener net.Listener
	answer   func(n int, id uint64) string // to the n-th request, from 1; "" ends the connection

	mu  sync.Mutex
	ids []uint64
}

const accepted = "HTTP/1.1 202 Accepted\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"

// serve starts one on an address, "127.0.0.1:0" for any.
func serve(t *testing.T, address string, answer func(n int, id uint64) string) *raw {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	s := &raw{listener: l, answer: answer}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go s.talk(conn)
		}
	}()
	return s
}

func (s *raw) base() string { return "http://" + s.listener.Addr().String() }

func (s *raw) talk(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	in := bufio.NewReader(conn)
	for {
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		body, err := io.ReadAll(r.Body)
		var w wire
		if err != nil || json.Unmarshal(body, &w) != nil {
			return
		}
		id, _ := load.ParseID(w.P["id"])
		s.mu.Lock()
		s.ids = append(s.ids, id)
		n := len(s.ids)
		s.mu.Unlock()
		text := s.answer(n, id)
		if text == "" {
			return
		}
		if _, err := io.WriteString(conn, text); err != nil || strings.Contains(text, "connection: close") {
			return
		}
	}
}

// seen returns the ids that reached the server.
func (s *raw) seen() []uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(slices.Values(s.ids))
}

func drive(t *testing.T, base string, o load.Options) load.Result {
	t.Helper()
	got, err := load.NewDriver(newGenerator(5), time.Now).Run(t.Context(), base, o)
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	for _, n := range got.Refused {
		refused += n
	}
	if sum := len(got.Accepted) + len(got.Dropped) + len(got.Unknown) + refused; got.Sent != sum {
		t.Errorf("%d events were sent, and it is known of %d what became of them", got.Sent, sum)
	}
	return got
}

// At a set rate exactly the events that are due are sent.
func TestDriver_rate(t *testing.T) {
	s := serve(t, "127.0.0.1:0", func(int, uint64) string { return accepted })
	got := drive(t, s.base(), load.Options{Rate: 1000, Connections: 8, For: 500 * time.Millisecond})
	if got.Sent != 500 || len(got.Accepted) != 500 || got.Unsent != 0 || got.Dials != 8 {
		t.Errorf("%d sent, %d accepted, %d not sent, %d connections", got.Sent, len(got.Accepted), got.Unsent, got.Dials)
	}
	slices.Sort(got.Accepted)
	if diff := cmp.Diff(s.seen(), got.Accepted); diff != "" {
		t.Errorf("the server has others than were accepted (-server +driver):\n%s", diff)
	}
	if got.Elapsed < 499*time.Millisecond || got.Latency.Count() != 500 {
		t.Errorf("it took %v, %d latencies", got.Elapsed, got.Latency.Count())
	}
}

// A server that stands still is asked no less for it: the events that were due meanwhile have waited.
func TestDriver_latencyFromSchedule(t *testing.T) {
	var once sync.Once
	s := serve(t, "127.0.0.1:0", func(n int, _ uint64) string {
		if n >= 100 {
			once.Do(func() { time.Sleep(400 * time.Millisecond) })
		}
		return accepted
	})
	got := drive(t, s.base(), load.Options{Rate: 1000, Connections: 1, For: time.Second})
	t.Logf("p50 %v, max %v; from sending p50 %v", got.Latency.Quantile(0.5), got.Latency.Max(), got.Service.Quantile(0.5))
	if got.Sent != 1000 {
		t.Errorf("%d were sent", got.Sent)
	}
	// 400 events were due in the stall, and were late by 200 ms on average; only one was under way.
	if late := got.Latency.Quantile(0.75); late < 50*time.Millisecond {
		t.Errorf("three of four events were answered within %v", late)
	}
	if quick := got.Service.Quantile(0.99); quick > 200*time.Millisecond {
		t.Errorf("one of a hundred answers took more than %v", quick)
	}
}

// Flat out each connection has one event under way.
func TestDriver_flatOut(t *testing.T) {
	s := serve(t, "127.0.0.1:0", func(int, uint64) string { return accepted })
	got := drive(t, s.base(), load.Options{Connections: 4, For: 300 * time.Millisecond})
	if len(got.Accepted) < 100 || len(got.Accepted) != len(s.seen()) {
		t.Errorf("%d were accepted, the server has %d", len(got.Accepted), len(s.seen()))
	}
	if got.Elapsed > 3*time.Second {
		t.Errorf("it took %v", got.Elapsed)
	}
}

// Every answer is counted as what it is, and a death as unknown; no id reaches the server twice.
func TestDriver_outcomes(t *testing.T) {
	want := map[uint64]string{}
	var mu sync.Mutex
	s := serve(t, "127.0.0.1:0", func(n int, id uint64) string {
		kinds := []string{"accepted", "accepted", "accepted, last", "dropped", "refused 503", "refused 400", "dead", "half", "no HTTP"}
		kind := kinds[n%len(kinds)]
		mu.Lock()
		want[id] = kind
		mu.Unlock()
		return map[string]string{
			"accepted": accepted, "accepted, last": "HTTP/1.1 202 Accepted\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok",
			"dropped":     "HTTP/1.1 202 Accepted\r\nX-Plausible-Dropped: 1\r\nContent-Length: 2\r\n\r\nok",
			"refused 503": "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nfull", "refused 400": "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
			"half": "HTTP/1.1 202 Accepted\r\nContent-Length: 20\r\n\r\nok\x00", "no HTTP": "SSH-2.0-x\r\n\r\n",
		}[kind]
	})
	// A connection with half an answer waits for the rest until the grace time is over.
	got := drive(t, s.base(), load.Options{Rate: 500, Connections: 4, For: 300 * time.Millisecond, Grace: 300 * time.Millisecond})
	count := map[string]int{}
	mu.Lock()
	defer mu.Unlock()
	for _, id := range got.Accepted {
		count["accepted: "+want[id]]++
	}
	for _, id := range got.Unknown {
		count["unknown: "+want[id]]++
	}
	for _, id := range got.Dropped {
		count["dropped: "+want[id]]++
	}
	for status, n := range got.Refused {
		count[fmt.Sprintf("refused %d", status)] += n
	}
	expected := map[string]int{}
	for _, kind := range want {
		switch kind {
		case "dead", "half", "no HTTP":
			kind = "unknown: " + kind
		case "dropped":
			kind = "dropped: " + kind
		case "accepted", "accepted, last":
			kind = "accepted: " + kind
		}
		expected[kind]++
	}
	if diff := cmp.Diff(expected, count); diff != "" {
		t.Errorf("-server +driver:\n%s", diff)
	}
	ids := s.seen()
	if unique := slices.Compact(slices.Clone(ids)); len(unique) != len(ids) {
		t.Errorf("%d ids came twice", len(ids)-len(unique))
	}
}

// A server that is away is dialled again until it is back; what was due meanwhile is sent then.
func TestDriver_reconnects(t *testing.T) {
	first := serve(t, "127.0.0.1:0", func(n int, _ uint64) string {
		if n > 50 {
			return ""
		}
		return accepted
	})
	address := first.listener.Addr().String()
	back := make(chan *raw, 1)
	time.AfterFunc(100*time.Millisecond, func() { _ = first.listener.Close() })
	time.AfterFunc(300*time.Millisecond, func() { back <- serve(t, address, func(int, uint64) string { return accepted }) })
	got := drive(t, first.base(), load.Options{Rate: 500, Connections: 4, For: 800 * time.Millisecond})
	second := <-back
	if len(got.Accepted) != 50+len(second.seen()) || len(got.Unknown) != len(first.seen())-50 {
		t.Errorf("%d accepted and %d unknown; the servers have %d and %d", len(got.Accepted), len(got.Unknown), len(first.seen()), len(second.seen()))
	}
	if got.Failed == 0 || got.Sent != 400 {
		t.Errorf("%d connections failed, %d events were sent", got.Failed, got.Sent)
	}
}

// Where nobody ever answers the dial, that is the error; where the answers do not come, the grace time ends the run.
func TestDriver_nobody(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	driver := load.NewDriver(newGenerator(5), time.Now)
	if _, err := driver.Run(t.Context(), "http://"+address, load.Options{Rate: 100, For: 50 * time.Millisecond}); err == nil {
		t.Error("no error")
	}
	for _, base := range []string{"", "127.0.0.1:80", "https://127.0.0.1:1", "http://127.0.0.1"} {
		if _, err := driver.Run(t.Context(), base, load.Options{For: time.Millisecond}); err == nil {
			t.Errorf("%q: no error", base)
		}
	}
	block := make(chan struct{})
	s := serve(t, "127.0.0.1:0", func(int, uint64) string { <-block; return "" })
	defer close(block)
	got := drive(t, s.base(), load.Options{Rate: 100, Connections: 3, For: 100 * time.Millisecond, Grace: 100 * time.Millisecond})
	if len(got.Unknown) != 3 || got.Unsent != 7 {
		t.Errorf("%d unknown, %d not sent", len(got.Unknown), got.Unsent)
	}
}

// The end of the context is the end of the run, and no error.
func TestDriver_context(t *testing.T) {
	s := serve(t, "127.0.0.1:0", func(int, uint64) string { return accepted })
	for _, rate := range []float64{0, 2, 2000} {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		began := time.Now()
		got, err := load.NewDriver(newGenerator(5), time.Now).Run(ctx, s.base(), load.Options{Rate: rate, Connections: 4})
		cancel()
		if took := time.Since(began); err != nil || took > 5*time.Second || got.Sent == 0 || got.Sent != len(got.Accepted) {
			t.Errorf("at %v/s: %v, %v, %d sent, %d accepted", rate, err, took, got.Sent, len(got.Accepted))
		}
	}
}
