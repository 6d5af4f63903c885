package web

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/daysalt/daysalt/internal/ingest"
)

// limits say how long a client may take. fasthttp has the same, and tells the system three times a request; conn tells it once in seconds.
type limits struct {
	request time.Duration // for the rest of a request that has begun, and for the first on a connection
	answer  time.Duration // to take an answer
	idle    time.Duration // until the next request begins
}

// listener makes conns of connections.
type listener struct {
	net.Listener
	limits *limits
}

// Accept waits for a connection.
func (l listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return newConn(c, l.limits), nil
}

// conn is a connection on which slow clients are stopped, with what its present request needs. All but Close is for one goroutine.
//
// To change a deadline costs as much as a look at a small event, and requests seldom need theirs. So the system is told a deadline only where the one it
// knows is later. Where the one it knows is over too early, the right one is told and the waiting goes on.
type conn struct {
	net.Conn
	limits *limits
	peer   netip.Addr // the other end; headers are not believed
	hit    ingest.Hit // of the present request

	objects bool // the present request is an objection with a body that may be too long

	closed    atomic.Bool // nothing can be answered any more
	begun     bool        // some of the next request was read
	requestBy time.Time   // when all of it must be there; zero until it is asked for
	idleBy    time.Time   // when it must have begun
	answerBy  time.Time   // when the last answer must be taken; zero for no limit
	readTold  time.Time   // what the system knows
	writeTold time.Time
}

func newConn(c net.Conn, l *limits) *conn {
	// The first request must be there in the time for one, or the connection is not used.
	return &conn{Conn: c, limits: l, peer: peerOf(c), begun: true, requestBy: systemTime().Add(l.request)}
}

// systemTime is the time that deadlines are compared with.
func systemTime() time.Time {
	return time.Now() //nolint:forbidigo // the system knows no other clock
}

// peerOf returns the address at the other end of a connection; an invalid one where there is none.
func peerOf(c net.Conn) netip.Addr {
	a, ok := c.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	return a.AddrPort().Addr().Unmap().WithZone("")
}

// connOf returns the connection of a request.
func connOf(ctx *fasthttp.RequestCtx) *conn {
	if c, ok := ctx.Conn().(*conn); ok {
		return c
	}
	return newConn(ctx.Conn(), &limits{})
}

// answers says that the answer to the present request begins. What is read then is the next one.
func (c *conn) answers(now time.Time) {
	c.begun, c.objects, c.requestBy = false, false, time.Time{}
	c.idleBy = now.Add(c.limits.idle)
	c.answerBy = now.Add(c.limits.answer)
}

// Read reads what the client sent, as long as it has time.
func (c *conn) Read(p []byte) (int, error) {
	by := c.idleBy
	if c.begun {
		if c.requestBy.IsZero() {
			c.requestBy = systemTime().Add(c.limits.request)
		}
		by = c.requestBy
	}
	for {
		if c.readTold.IsZero() || c.readTold.After(by) {
			if err := c.tellRead(by); err != nil {
				return 0, err
			}
		}
		n, err := c.Conn.Read(p)
		c.begun = c.begun || n > 0
		if err == nil || c.readTold.Equal(by) || !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
		if err := c.tellRead(by); err != nil {
			return n, err
		}
	}
}

func (c *conn) tellRead(by time.Time) error {
	c.readTold = by
	return c.Conn.SetReadDeadline(by)
}

// SetReadDeadline notes that the present request is an objection: fasthttp calls it where headerRead asks for it, and nowhere else. The deadlines
// are the conn's own.
func (c *conn) SetReadDeadline(time.Time) error {
	c.objects = true
	return nil
}

// Write sends a piece of an answer, as long as the client has time to take it.
func (c *conn) Write(p []byte) (int, error) {
	if c.answerBy.IsZero() {
		return c.Conn.Write(p)
	}
	sent := 0
	for {
		if c.writeTold.IsZero() || c.writeTold.After(c.answerBy) {
			if err := c.tellWrite(c.answerBy); err != nil {
				return sent, err
			}
		}
		n, err := c.Conn.Write(p[sent:])
		sent += n
		if err == nil || c.writeTold.Equal(c.answerBy) || !errors.Is(err, os.ErrDeadlineExceeded) {
			return sent, err
		}
		if err := c.tellWrite(c.answerBy); err != nil {
			return sent, err
		}
	}
}

// Close ends the connection. It may be called by another goroutine, between two requests.
func (c *conn) Close() error {
	c.closed.Store(true)
	return c.Conn.Close()
}

func (c *conn) tellWrite(by time.Time) error {
	c.writeTold = by
	return c.SetWriteDeadline(by)
}
