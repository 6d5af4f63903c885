package web

import (
	"net"
	"net/netip"
	"runtime"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"
)

// noFrame is the policy of every answer that has no other: it runs nothing and stands in no frame.
const noFrame = "default-src 'none'; frame-ancestors 'none'"

// refuseAmbiguous refuses what a proxy before us could have read in another way. The connection is closed, so that whatever follows on it is not read
// as a request.
func refuseAmbiguous(c *fiber.Ctx) error {
	var h head
	if h.read(&c.Request().Header, ""); h.ambiguous() {
		c.Context().SetConnectionClose()
		return fiber.ErrBadRequest
	}
	return c.Next()
}

// onlyThisMachine guards what has no accounts yet: the peer and the Host must be this machine, which a page on another host that resolves to
// 127.0.0.1 is not. A proxy on this machine that passes requests on gives itself away by a header, by the Host it was asked for, or by the
// HTTP/1.0 that nginx speaks when nobody tells it otherwise; one that shows none of these cannot be told from a browser, so deploy/README.md says
// what a proxy must send. What a trusted proxy says of the visitor's address counts for nothing here.
func (s *Server) onlyThisMachine(c *fiber.Ctx) error {
	header := &c.Request().Header
	forwarded := len(header.Peek(fiber.HeaderXForwardedFor))+len(header.Peek(fiber.HeaderForwarded))+len(header.Peek("X-Real-Ip"))+len(header.Peek(fiber.HeaderVia)) > 0
	if s.cfg.ClientHeader != "" {
		forwarded = forwarded || len(header.Peek(s.cfg.ClientHeader)) > 0
	}
	if forwarded || !header.IsHTTP11() || !peer(c).IsLoopback() || !isLoopbackHost(string(header.Host())) {
		return fiber.NewError(fiber.StatusForbidden, "the dashboard answers only on this machine, at http://127.0.0.1, until there are accounts")
	}
	if from := header.Peek("Sec-Fetch-Site"); strings.HasPrefix(c.Path(), "/api/") && len(from) > 0 && string(from) != "same-origin" && string(from) != "none" {
		return fiber.NewError(fiber.StatusForbidden, "another site may not ask")
	}
	return c.Next()
}

// isLoopbackHost says whether a Host header names this machine.
func isLoopbackHost(host string) bool {
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		name = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	} else if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return false
	}
	name = strings.ToLower(name)
	if name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(name)
	return err == nil && addr.Unmap().IsLoopback()
}

// panicPlace returns the file and line that panicked, without any value.
func panicPlace() string {
	var pcs [32]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs[:])])
	for {
		frame, more := frames.Next()
		if strings.Contains(frame.Function, "daysalt/internal") {
			return frame.Function + ":" + strconv.Itoa(frame.Line)
		}
		if !more {
			return "unknown"
		}
	}
}
