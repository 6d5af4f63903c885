package web

import (
	"net"
	"net/netip"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/utils"

	"github.com/daysalt/daysalt/internal/address"
)

// peer returns the address at the other end of the connection. Headers are not believed.
func peer(c *fiber.Ctx) netip.Addr {
	a, ok := c.Context().RemoteAddr().(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	return a.AddrPort().Addr().Unmap().WithZone("")
}

// client returns the visitor's address: the peer, or whom a trusted proxy names. The headers are read as they came, since fasthttp adds to those it
// parsed the trailers behind a chunked body, which a proxy may pass on as the client wrote them.
func (s *Server) client(c *fiber.Ctx) netip.Addr {
	return s.cfg.Proxies.Client(peer(c), address.Headers{
		Section: utils.UnsafeString(c.Request().Header.RawHeaders()),
		Only:    s.cfg.ClientHeader,
	})
}
