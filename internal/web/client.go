package web

import (
	"net/netip"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/daysalt/daysalt/internal/address"
)

// peer returns the address at the other end of the connection. Headers are not believed.
func peer(c *fiber.Ctx) netip.Addr { return connOf(c.Context()).peer }

// isHTTPS says whether the visitor speaks https, which only a trusted proxy can know: by one X-Forwarded-Proto with one value.
func (s *Server) isHTTPS(c *fiber.Ctx) bool {
	said := c.Request().Header.PeekAll(fiber.HeaderXForwardedProto)
	return len(said) == 1 && strings.EqualFold(strings.Trim(string(said[0]), " \t"), "https") && s.isProxy(peer(c))
}

// isProxy says whether an address is a trusted proxy's: then, and only then, address believes a header that it sends.
func (s *Server) isProxy(peer netip.Addr) bool {
	const line, nobody = "X-Peer: 255.255.255.255", "255.255.255.255" // no peer has this address
	return s.cfg.Proxies.Client(peer, address.Headers{Section: line, Only: "X-Peer"}) == netip.MustParseAddr(nobody)
}
