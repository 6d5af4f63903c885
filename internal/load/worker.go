package load

import (
	"bytes"
	"context"
	"errors"
	"net"
	"strconv"
	"sync"
	"time"
)

// worker is one connection, and those that take its place.
type worker struct {
	run *run

	mu   sync.Mutex // guards conn against cut
	conn net.Conn
	over bool // cut was called

	timer   *time.Timer
	out, in []byte

	sent, dials, failed        int
	accepted, dropped, unknown []uint64
	refused                    map[int]int
	latency, service           Histogram
	dialError                  error
}

// How long a connection may take to be opened, and the pause before the next try.
const (
	dialTimeout = time.Second
	dialPause   = 5 * time.Millisecond
)

// maxAnswer is how long an answer may be, in bytes.
const maxAnswer = 8 << 10

// work sends until nothing more is due.
func (w *worker) work() {
	w.in = make([]byte, maxAnswer)
	w.timer = time.NewTimer(time.Hour)
	defer w.timer.Stop()
	defer w.close()
	for w.conn != nil || w.dial() { // first the connection: an event that is taken is sent
		due, ok := w.take()
		if !ok {
			return
		}
		w.send(due)
	}
}

// take waits for the next event and returns when it was due, from the start of the run.
func (w *worker) take() (time.Duration, bool) {
	if w.run.events == nil {
		return 0, !closed(w.run.stop)
	}
	due, ok := <-w.run.events
	return due, ok
}

func closed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// send sends one event and takes its answer.
func (w *worker) send(due time.Duration) {
	r := w.run
	var id uint64
	w.out, id = r.driver.generator.Next(w.out[:0])
	begun := r.driver.now().Sub(r.start)
	if n, err := w.conn.Write(w.out); err != nil {
		w.close()
		if n > 0 { // of an event of which nothing left, nothing was kept
			w.sent++
			w.unknown = append(w.unknown, id)
		}
		return
	}
	w.sent++
	a, err := w.answer()
	ended := r.driver.now().Sub(r.start)
	if err != nil {
		w.close()
		w.unknown = append(w.unknown, id)
		return
	}
	if r.o.Rate <= 0 {
		due = begun
	}
	w.latency.Record(ended - due)
	w.service.Record(ended - begun)
	switch {
	case a.status != 202:
		w.refused[a.status]++
	case a.dropped:
		w.dropped = append(w.dropped, id)
	default:
		w.accepted = append(w.accepted, id)
	}
	if a.last {
		w.close()
	}
}

// dial opens the connection, again and again while something may become due.
func (w *worker) dial() bool {
	dialer := net.Dialer{Timeout: dialTimeout}
	for !closed(w.run.stop) {
		conn, err := dialer.DialContext(context.Background(), "tcp", w.run.address)
		if err == nil {
			w.dials++
			return w.keep(conn)
		}
		w.failed++
		w.dialError = err
		w.timer.Reset(dialPause)
		select {
		case <-w.timer.C:
		case <-w.run.stop:
		}
	}
	return false
}

// keep makes conn the worker's, unless cut was called.
func (w *worker) keep(conn net.Conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over {
		_ = conn.Close() // nothing was sent
		return false
	}
	w.conn = conn
	return true
}

func (w *worker) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.conn != nil {
		_ = w.conn.Close() // what became of its events is known, or is not
		w.conn = nil
	}
}

// cut ends the wait for an answer, from another goroutine.
func (w *worker) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = true
	if w.conn != nil {
		_ = w.conn.Close() // its reader sees it
	}
}

// answer is what the driver looks at in one.
type answer struct {
	status  int
	dropped bool
	last    bool // the server closes the connection
}

var errAnswer = errors.New("the answer is no HTTP/1.1 with a Content-Length")

// answer reads one answer. Nothing may be behind it, since nothing else was asked.
func (w *worker) answer() (answer, error) {
	n := 0
	for {
		more, err := w.conn.Read(w.in[n:])
		n += more
		if end := bytes.Index(w.in[:n], []byte("\r\n\r\n")); end >= 0 {
			a, length, ok := parse(w.in[:end])
			size := end + 4 + length
			switch {
			case !ok, n > size, size > len(w.in):
				return a, errAnswer
			case n == size:
				return a, nil
			}
		}
		if err != nil {
			return answer{}, err
		}
		if n == len(w.in) {
			return answer{}, errAnswer
		}
	}
}

// parse reads the head of an answer and returns the length of its body.
func parse(head []byte) (a answer, length int, ok bool) {
	line, rest, _ := bytes.Cut(head, []byte("\r\n"))
	if len(line) < len("HTTP/1.1 200") || !bytes.HasPrefix(line, []byte("HTTP/1.1 ")) {
		return answer{}, 0, false
	}
	status, err := strconv.Atoi(string(line[9:12]))
	if err != nil || status < 200 {
		return answer{}, 0, false
	}
	a.status = status
	length = -1
	for len(rest) > 0 {
		line, rest, _ = bytes.Cut(rest, []byte("\r\n"))
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimSpace(value)
		switch {
		case bytes.EqualFold(name, []byte("Content-Length")):
			length, err = strconv.Atoi(string(value))
			if err != nil || length < 0 {
				return answer{}, 0, false
			}
		case bytes.EqualFold(name, []byte("Connection")):
			a.last = bytes.EqualFold(value, []byte("close"))
		case bytes.EqualFold(name, []byte("X-Plausible-Dropped")):
			a.dropped = true
		}
	}
	return a, length, length >= 0
}
