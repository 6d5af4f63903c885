package main

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// mishap is what happens to an insert on its way to the database.
type mishap struct {
	name string
	do   func(p *mishaps, w http.ResponseWriter, r *http.Request, body []byte)
}

// mishaps stand between a server and its database, and let one mishap after the other happen to inserts. Every fourth insert passes, and so does every other
// question.
type mishaps struct {
	base   string // of the database
	all    []mishap
	rounds int
	client http.Client

	inserts, struck atomic.Int64 // so far, and how many of them had a mishap
}

// over says whether everything has happened as often as it was to.
func (p *mishaps) over() bool { return p.struck.Load() >= int64(p.rounds*len(p.all)) }

func (p *mishaps) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if strings.HasPrefix(r.URL.Query().Get("query"), "INSERT INTO events") && !p.over() && p.inserts.Add(1)%4 != 0 {
		n := p.struck.Add(1) - 1
		p.all[n%int64(len(p.all))].do(p, w, r, body)
		return
	}
	p.pass(w, r, body)
}

// reply is what the database answered.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// forward asks the database. It says that the body has so many bytes, and sends these.
func (p *mishaps) forward(r *http.Request, body []byte, announced int) (reply, error) {
	out, err := http.NewRequestWithContext(r.Context(), r.Method, p.base+r.URL.String(), bytes.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	out.Header = r.Header.Clone()
	out.ContentLength = int64(announced)
	got, err := p.client.Do(out)
	if err != nil {
		return reply{}, err
	}
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	return reply{got.StatusCode, got.Header, text}, err
}

func (p *mishaps) pass(w http.ResponseWriter, r *http.Request, body []byte) {
	got, err := p.forward(r, body, len(body))
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	maps.Copy(w.Header(), got.header)
	w.WriteHeader(got.status)
	_, _ = w.Write(got.body)
}

// exception answers as ClickHouse does when it cannot.
func exception(status, code int, text string) mishap {
	return mishap{fmt.Sprintf("%d with exception %d", status, code), func(_ *mishaps, w http.ResponseWriter, _ *http.Request, _ []byte) {
		w.Header().Set("X-Clickhouse-Exception-Code", strconv.Itoa(code))
		w.WriteHeader(status)
		_, _ = fmt.Fprintf(w, "Code: %d. DB::Exception: %s (version 26.7.3.1)\n", code, text)
	}}
}

func everyMishap() []mishap {
	return []mishap{
		exception(500, 252, "Too many parts (3001 with average size of 12.00 KiB) in table 'default.events'. Merges are processing significantly slower than inserts. (TOO_MANY_PARTS)"),
		exception(500, 241, "(total) memory limit exceeded: would use 1.87 GiB, maximum: 1.80 GiB. (MEMORY_LIMIT_EXCEEDED)"),
		exception(500, 202, "Too many simultaneous queries. Maximum: 100. (TOO_MANY_SIMULTANEOUS_QUERIES)"),
		exception(500, 243, "Cannot reserve 1.00 MiB, not enough space. (NOT_ENOUGH_SPACE)"),
		exception(500, 159, "Timeout exceeded: elapsed 30.1 seconds, maximum: 30. (TIMEOUT_EXCEEDED)"),
		exception(404, 60, "Table default.events does not exist. (UNKNOWN_TABLE)"),
		{"503 of something before it", func(_ *mishaps, w http.ResponseWriter, _ *http.Request, _ []byte) {
			http.Error(w, "<html>upstream</html>", http.StatusServiceUnavailable)
		}},
		{"stored, and cut off before the answer", func(p *mishaps, _ http.ResponseWriter, r *http.Request, body []byte) {
			_, _ = p.forward(r, body, len(body))
			panic(http.ErrAbortHandler)
		}},
		{"stored, and answered with 500", func(p *mishaps, w http.ResponseWriter, r *http.Request, body []byte) {
			_, _ = p.forward(r, body, len(body))
			http.Error(w, "upstream", http.StatusInternalServerError)
		}},
		{"stored twice", func(p *mishaps, w http.ResponseWriter, r *http.Request, body []byte) {
			_, _ = p.forward(r, body, len(body))
			p.pass(w, r, body)
		}},
		{"cut off within the block", func(p *mishaps, _ http.ResponseWriter, r *http.Request, body []byte) {
			_, _ = p.forward(r, body[:len(body)/2], len(body))
			panic(http.ErrAbortHandler)
		}},
		{"cut off before it", func(*mishaps, http.ResponseWriter, *http.Request, []byte) { panic(http.ErrAbortHandler) }},
		{"slow, and then stored", func(p *mishaps, w http.ResponseWriter, r *http.Request, body []byte) {
			time.Sleep(faultFor)
			p.pass(w, r, body)
		}},
	}
}

// Between the server and its database everything goes wrong that can, one thing after the other, under load.
func TestTorture_mishaps(t *testing.T) {
	t.Parallel()
	r := newRig(t).withDatabase()
	p := &mishaps{base: r.database.base, all: everyMishap(), rounds: mishapRounds}
	rand.Shuffle(len(p.all), func(i, j int) { p.all[i], p.all[j] = p.all[j], p.all[i] })
	between := httptest.NewServer(p)
	defer between.Close()
	defer p.client.CloseIdleConnections()
	r.more = append(r.more, "--clickhouse-dsn", between.URL)
	r.start()
	f := r.load(stallRate)
	for end := time.Now().Add(mishapRounds * 30 * time.Second); !p.over(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d inserts were tried, of which %d failed", p.inserts.Load(), p.struck.Load())
		}
	}
	got := f.end()
	behind := r.metric("daysalt_ship_lag_bytes")
	drained := r.drained()
	o := r.settle()
	t.Logf("seed %d: %d ways for an insert to go wrong, %d times under %d events/s: %v; %.1f MB behind at the end, stored in %v",
		r.seed, len(p.all), p.struck.Load(), stallRate, o, behind/1e6, drained.Round(time.Millisecond))
	if len(got.Unknown) > 0 || len(got.Refused) > 0 {
		t.Errorf("%d events without an answer, refused %v", len(got.Unknown), got.Refused)
	}
	if drained > 12*time.Second { // the longest pause between two attempts is 10 s
		t.Errorf("it took %v to catch up", drained)
	}
}
