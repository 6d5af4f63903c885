package web

import (
	"net/netip"

	"github.com/gofiber/fiber/v2"
)

// peer returns the address at the other end of the connection. Headers are not believed.
func peer(c *fiber.Ctx) netip.Addr { return connOf(c.Context()).peer }
