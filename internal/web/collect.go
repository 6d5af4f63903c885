package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/andybalholm/brotli"
	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/utils"
	"github.com/valyala/fasthttp"

	"github.com/daysalt/daysalt/internal/fault"
	"github.com/daysalt/daysalt/internal/ingest"
)

// eventPath is where trackers send events.
const eventPath = "/api/event"

// What the answer to every event that is no error consists of; never written to.
var (
	headerOrigin  = []byte(fiber.HeaderAccessControlAllowOrigin)
	anyOrigin     = []byte("*")
	plainText     = []byte(fiber.MIMETextPlainCharsetUTF8)
	accepted      = []byte("ok")
	headerDropped = []byte("X-Plausible-Dropped")
)

// handle takes events before fiber looks for a route, which costs as much as a third of an event; whatever is written in another way than trackers do,
// and everything else, is fiber's.
func (s *Server) handle(ctx *fasthttp.RequestCtx) {
	if connOf(ctx).closed.Load() {
		return // A stop found the connection idle when the request came: nobody would get the answer.
	}
	if header := &ctx.Request.Header; !header.IsPost() || string(header.RequestURI()) != eventPath || !plainHost(header.Host()) {
		ctx.Response.Header.Set(fiber.HeaderContentSecurityPolicy, noFrame) // pages have their own
		s.routed(ctx)
		connOf(ctx).answers(systemTime()) // it may have taken seconds
		return
	}
	var h head
	h.read(&ctx.Request.Header, s.cfg.ClientHeader)
	err := error(fiber.ErrBadRequest)
	if h.ambiguous() {
		ctx.SetConnectionClose()
	} else {
		err = s.collectSafely(ctx, &h)
	}
	if err != nil {
		c := s.app.AcquireCtx(ctx)
		defer s.app.ReleaseCtx(c)
		if err := s.fail(c, err); err != nil {
			ctx.SetStatusCode(fiber.StatusInternalServerError)
		}
	}
	connOf(ctx).answers(ctx.Time())
}

// plainHost says whether a Host is written such that every reader of URLs takes it: letters, digits, dots and hyphens, and a port.
func plainHost(host []byte) bool {
	port := false
	for _, c := range host {
		switch {
		case '0' <= c && c <= '9':
		case c == ':' && !port:
			port = true
		case port || (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '.' && c != '-':
			return false
		}
	}
	return len(host) > 0
}

// collectSafely is collect with recoverPanic around it.
func (s *Server) collectSafely(ctx *fasthttp.RequestCtx, h *head) (err error) {
	defer func() {
		if r := recover(); r != nil {
			s.log.Error("a request panicked", "place", panicPlace())
			err = fiber.ErrInternalServerError
		}
	}()
	return s.collect(ctx, h)
}

// collectRouted is collect for what fiber found the route of.
func (s *Server) collectRouted(c *fiber.Ctx) error {
	var h head
	h.read(&c.Request().Header, s.cfg.ClientHeader)
	return s.collect(c.Context(), &h)
}

// collect takes an event. An objection by Global Privacy Control or by the opt-out cookie comes before the body is looked at, and is answered like a
// kept event. Do Not Track is a matter of the site, which only the body names.
func (s *Server) collect(ctx *fasthttp.RequestCtx, h *head) error {
	answer := &ctx.Response
	answer.Header.SetCanonical(headerOrigin, anyOrigin)
	if h.objects() {
		accept(answer)
		return nil
	}
	if len(h.coding) > 0 {
		return fiber.NewError(fiber.StatusUnsupportedMediaType, "the body must not be compressed")
	}
	verdict, err := s.ingestHit(ctx, h)
	if err != nil {
		return s.refused(ctx, err)
	}
	if verdict.Dropped > 0 {
		answer.Header.SetCanonical(headerDropped, strconv.AppendInt(nil, int64(verdict.Dropped), 10))
	}
	accept(answer)
	return nil
}

// ingestHit hands the request to the ingester. What it was made of is gone when it returns.
func (s *Server) ingestHit(ctx *fasthttp.RequestCtx, h *head) (ingest.Verdict, error) {
	c := connOf(ctx)
	defer func() { c.hit = ingest.Hit{} }()
	hit := &c.hit
	hit.Time = s.now()
	hit.Address = s.cfg.Proxies.Client(c.peer, h.sender(s.cfg.ClientHeader))
	hit.Agent = utils.UnsafeString(ctx.Request.Header.UserAgent())
	hit.Hints.Brands, hit.Hints.Platform, hit.Hints.Mobile = utils.UnsafeString(h.brands), utils.UnsafeString(h.platform), utils.UnsafeString(h.mobile)
	hit.Language, hit.Purpose = utils.UnsafeString(h.language), utils.UnsafeString(h.purpose)
	hit.DNT = isOne(h.dnt)
	hit.Body = ctx.Request.Body() // as it came: not inflated
	return s.ingest.Ingest(&c.hit)
}

// refused answers an event that has wrong fields, and returns any other error for fail.
func (s *Server) refused(ctx *fasthttp.RequestCtx, err error) error {
	if bad, is := errors.AsType[*ingest.BadEvent](err); is {
		fields := map[string][]string{}
		for _, f := range bad.Fields {
			fields[f.Field] = append(fields[f.Field], f.Message)
		}
		c := s.app.AcquireCtx(ctx)
		defer s.app.ReleaseCtx(c)
		return c.Status(fiber.StatusBadRequest).JSON(fiber.Map{"errors": fields})
	}
	if fault.KindOf(err) == fault.Internal {
		return fmt.Errorf("cannot keep an event: %w", err)
	}
	return err
}

// accept is the answer to every event that is no error, kept or not.
func accept(answer *fasthttp.Response) {
	answer.Header.SetContentTypeBytes(plainText)
	answer.SetStatusCode(fiber.StatusAccepted)
	answer.SetBodyRaw(accepted)
}

// preflight lets pages on other origins send application/json.
func preflight(c *fiber.Ctx) error {
	c.Set(fiber.HeaderAccessControlAllowOrigin, "*")
	c.Set(fiber.HeaderAccessControlAllowMethods, "POST")
	c.Set(fiber.HeaderAccessControlAllowHeaders, "Content-Type")
	c.Set(fiber.HeaderAccessControlMaxAge, "86400")
	return c.SendStatus(fiber.StatusNoContent)
}

// script returns the handler of a script that sites load, compressed once.
func script(plain []byte) fiber.Handler {
	zipped, br := compress(plain)
	sum := sha256.Sum256(plain)
	tag := `W/"` + hex.EncodeToString(sum[:8]) + `"` // weak: it names every encoding
	return func(c *fiber.Ctx) error {
		c.Set(fiber.HeaderAccessControlAllowOrigin, "*") // for integrity attributes
		c.Set("Cross-Origin-Resource-Policy", "cross-origin")
		c.Set(fiber.HeaderXContentTypeOptions, "nosniff")
		c.Set(fiber.HeaderCacheControl, "public, max-age=3600")
		c.Set(fiber.HeaderETag, tag)
		c.Set(fiber.HeaderVary, fiber.HeaderAcceptEncoding)
		if c.Get(fiber.HeaderIfNoneMatch) == tag {
			return c.SendStatus(fiber.StatusNotModified)
		}
		c.Set(fiber.HeaderContentType, "text/javascript; charset=utf-8")
		return sendBest(c, plain, zipped, br)
	}
}

// sendBest sends the smallest form that the client takes.
func sendBest(c *fiber.Ctx, plain, zipped, br []byte) error {
	accepted := c.Get(fiber.HeaderAcceptEncoding)
	switch {
	case br != nil && accepts(accepted, "br"):
		c.Set(fiber.HeaderContentEncoding, "br")
		return c.Send(br)
	case zipped != nil && accepts(accepted, "gzip"):
		c.Set(fiber.HeaderContentEncoding, "gzip")
		return c.Send(zipped)
	}
	return c.Send(plain)
}

// accepts says whether an Accept-Encoding header takes a coding.
func accepts(header, coding string) bool {
	for one := range strings.SplitSeq(header, ",") {
		name, weight, _ := strings.Cut(one, ";")
		if strings.TrimSpace(name) == coding {
			q, err := strconv.ParseFloat(strings.TrimPrefix(strings.TrimSpace(weight), "q="), 64)
			return err != nil || q > 0
		}
	}
	return false
}

func compress(plain []byte) (zipped, br []byte) {
	var z, b bytes.Buffer
	zw, _ := gzip.NewWriterLevel(&z, gzip.BestCompression) // the level is valid, and a Buffer takes all
	_, _ = zw.Write(plain)
	_ = zw.Close()
	bw := brotli.NewWriterLevel(&b, brotli.BestCompression)
	_, _ = bw.Write(plain)
	_ = bw.Close()
	return z.Bytes(), b.Bytes()
}
