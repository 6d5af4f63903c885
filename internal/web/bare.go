package web

import (
	"context"
	"net"

	"github.com/gofiber/fiber/v2"
)

// Bare is what a server on fiber costs that does nothing: it reads the body of POST /api/event and answers 202. The load tool measures the real one
// against it, so it has fiber's own settings, but for the room for headers, which is the real one's.
type Bare struct {
	app *fiber.App
}

// NewBare returns a Bare that does not listen yet.
func NewBare() *Bare {
	app := fiber.New(fiber.Config{DisableStartupMessage: true, ReadBufferSize: readBuffer})
	app.Post("/api/event", func(c *fiber.Ctx) error {
		_ = c.Body()
		return c.Status(fiber.StatusAccepted).SendString("ok")
	})
	return &Bare{app}
}

// Serve answers on a listener until Shutdown.
func (b *Bare) Serve(l net.Listener) error { return b.app.Listener(l) }

// Shutdown stops accepting, lets requests under way finish, and returns when they have or ctx ends.
func (b *Bare) Shutdown(ctx context.Context) error { return b.app.ShutdownWithContext(ctx) }

// ServeBare answers on a listener, as Bare does, until ctx ends or the listener is closed.
func ServeBare(ctx context.Context, l net.Listener) error {
	b := NewBare()
	ended := context.AfterFunc(ctx, func() { _ = b.Shutdown(context.Background()) })
	defer ended()
	return b.Serve(l)
}
