package web

import (
	"bufio"
	"errors"
	"log/slog"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/daysalt/daysalt/internal/ingest"
)

// told counts what the system is told.
type told struct {
	net.Conn
	reads, writes int
}

func (c *told) SetReadDeadline(t time.Time) error {
	c.reads++
	return c.Conn.SetReadDeadline(t)
}

func (c *told) SetWriteDeadline(t time.Time) error {
	c.writes++
	return c.Conn.SetWriteDeadline(t)
}

// connection runs a test with both ends of a connection. Its clock goes on while all wait.
func connection(t *testing.T, do func(c *conn, client net.Conn, system *told)) {
	t.Helper()
	synctest.Test(t, func(*testing.T) {
		server, client := net.Pipe()
		system := &told{Conn: server}
		do(newConn(system, &limits{request: 5 * time.Second, answer: 30 * time.Second, idle: 20 * time.Second}), client, system)
		_ = errors.Join(server.Close(), client.Close())
	})
}

// send writes, a while from now, and lets nobody wait for it.
func send(client net.Conn, after time.Duration, text string) {
	go func() {
		time.Sleep(after)
		_, _ = client.Write([]byte(text))
	}()
}

func mustRead(t *testing.T, c *conn, want string) {
	t.Helper()
	b := make([]byte, 100)
	if n, err := c.Read(b); err != nil || string(b[:n]) != want {
		t.Fatalf("%q, %v; want %q", b[:n], err, want)
	}
}

// mustStop reads until the client's time is up, which must be when it should.
func mustStop(t *testing.T, c *conn, after time.Duration) {
	t.Helper()
	began := time.Now()
	n, err := c.Read(make([]byte, 100))
	if took := time.Since(began); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) || took != after {
		t.Errorf("%d bytes and %v after %v, want an end after %v", n, err, took, after)
	}
}

func TestConn_first(t *testing.T) {
	connection(t, func(c *conn, _ net.Conn, _ *told) { mustStop(t, c, 5*time.Second) })
	connection(t, func(c *conn, client net.Conn, _ *told) {
		send(client, 3*time.Second, "POST")
		mustRead(t, c, "POST")
		mustStop(t, c, 2*time.Second)
	})
}

// The next request has its own time to begin, and its own time to end however slowly it comes.
func TestConn_next(t *testing.T) {
	connection(t, func(c *conn, client net.Conn, _ *told) {
		send(client, 0, "one")
		mustRead(t, c, "one")
		time.Sleep(7 * time.Second) // for an answer that takes its time
		c.answers(time.Now())
		mustStop(t, c, 20*time.Second)
	})
	connection(t, func(c *conn, client net.Conn, _ *told) {
		send(client, 0, "one")
		mustRead(t, c, "one")
		c.answers(time.Now())
		send(client, 19*time.Second, "a")
		send(client, 21*time.Second, "b")
		send(client, 23*time.Second, "c")
		for _, want := range []string{"a", "b", "c"} {
			mustRead(t, c, want)
		}
		mustStop(t, c, time.Second)
	})
}

// A request that stalls is stopped although the system knows a later deadline.
func TestConn_stalls(t *testing.T) {
	connection(t, func(c *conn, client net.Conn, _ *told) {
		send(client, 0, "one")
		mustRead(t, c, "one")
		c.answers(time.Now())
		send(client, 7*time.Second, "a") // behind the first deadline
		mustRead(t, c, "a")
		mustStop(t, c, 5*time.Second)
	})
}

// A busy client is never stopped, and the system hears of it once in a while.
func TestConn_busy(t *testing.T) {
	connection(t, func(c *conn, client net.Conn, system *told) {
		for range 1000 {
			send(client, 100*time.Millisecond, "request")
			mustRead(t, c, "request")
			c.answers(time.Now())
			go func() { _, _ = client.Read(make([]byte, 100)) }()
			if _, err := c.Write([]byte("answer")); err != nil {
				t.Fatal(err)
			}
		}
		mustStop(t, c, 20*time.Second)
		if system.reads > 10 || system.writes > 6 {
			t.Errorf("the system was told %d deadlines for reading and %d for writing in 120 seconds", system.reads, system.writes)
		}
	})
}

func TestConn_slowReader(t *testing.T) {
	connection(t, func(c *conn, client net.Conn, _ *told) {
		for i, wait := range []time.Duration{0, time.Second, 40 * time.Second} {
			time.Sleep(wait) // the system knows a deadline that is over too early: during the answer, or before it
			c.answers(time.Now())
			got := make(chan string, 2)
			go func() {
				for _, wait := range []time.Duration{0, 25 * time.Second} {
					time.Sleep(wait)
					b := make([]byte, 4)
					_, _ = client.Read(b)
					got <- string(b)
				}
			}()
			began := time.Now()
			if n, err := c.Write([]byte("12345678")); n != 8 || err != nil || time.Since(began) != 25*time.Second {
				t.Errorf("answer %d: %d, %v after %v", i, n, err, time.Since(began))
			}
			if all := <-got + <-got; all != "12345678" {
				t.Errorf("answer %d arrives as %q", i, all)
			}
		}
		c.answers(time.Now())
		go func() { _, _ = client.Read(make([]byte, 4)) }()
		began := time.Now()
		if n, err := c.Write([]byte("12345678")); n != 4 || !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(began) != 30*time.Second {
			t.Errorf("%d, %v after %v", n, err, time.Since(began))
		}
	})
}

// A stop closes idle connections. A request that comes at that moment is not kept: nobody could be told.
func TestHandle_closed(t *testing.T) {
	took := 0
	s := &Server{now: time.Now, ingest: ingesterFunc(func() { took++ }), log: slog.New(slog.DiscardHandler)}
	near, far := net.Pipe()
	defer func() { _ = far.Close() }()
	c := newConn(near, &limits{})
	for _, want := range []int{1, 1} {
		var ctx fasthttp.RequestCtx
		ctx.Init2(c, nil, false)
		if err := ctx.Request.Read(bufio.NewReader(strings.NewReader("POST /api/event HTTP/1.1\r\nHost: stats.example\r\nContent-Length: 0\r\n\r\n"))); err != nil {
			t.Fatal(err)
		}
		s.handle(&ctx)
		if took != want {
			t.Fatalf("%d events were taken, want %d", took, want)
		}
		_ = c.Close()
	}
}

// ingesterFunc keeps every event.
type ingesterFunc func()

func (f ingesterFunc) Ingest(*ingest.Hit) (ingest.Verdict, error) {
	f()
	return ingest.Verdict{Kept: 1}, nil
}

// fasthttp's word that a request is an objection holds for that request, and changes no deadline.
func TestConn_objects(t *testing.T) {
	connection(t, func(c *conn, client net.Conn, system *told) {
		send(client, 0, "a")
		mustRead(t, c, "a")
		before := system.reads
		if err := c.SetReadDeadline(time.Now().Add(time.Hour)); err != nil || !c.objects || system.reads != before {
			t.Errorf("%v, objects %v, the system was told %d times", err, c.objects, system.reads-before)
		}
		mustStop(t, c, 5*time.Second)
		if c.answers(time.Now()); c.objects {
			t.Error("the next request objects too")
		}
	})
}
