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

	"github.com/daysalt/daysalt/internal/agent"
	"github.com/daysalt/daysalt/internal/fault"
	"github.com/daysalt/daysalt/internal/ingest"
)

// collect takes an event. An objection by Global Privacy Control comes before the body is looked at, and is answered like a kept event.
func (s *Server) collect(c *fiber.Ctx) error {
	header := &c.Request().Header
	c.Set(fiber.HeaderAccessControlAllowOrigin, "*")
	if string(header.Peek("Sec-Gpc")) == "1" {
		return ok(c)
	}
	if len(header.Peek(fiber.HeaderContentEncoding)) > 0 {
		return fiber.NewError(fiber.StatusUnsupportedMediaType, "the body must not be compressed")
	}
	verdict, err := s.ingest.Ingest(&ingest.Hit{
		Time:    s.now(),
		Address: s.client(c),
		Agent:   utils.UnsafeString(header.Peek(fiber.HeaderUserAgent)),
		Hints: agent.Hints{
			Brands:   utils.UnsafeString(header.Peek("Sec-Ch-Ua")),
			Platform: utils.UnsafeString(header.Peek("Sec-Ch-Ua-Platform")),
			Mobile:   utils.UnsafeString(header.Peek("Sec-Ch-Ua-Mobile")),
		},
		Language: utils.UnsafeString(header.Peek(fiber.HeaderAcceptLanguage)),
		Purpose:  utils.UnsafeString(header.Peek("Sec-Purpose")),
		Body:     c.Request().Body(), // not c.Body(): that one inflates
	})
	if bad, is := errors.AsType[*ingest.BadEvent](err); is {
		fields := map[string][]string{}
		for _, f := range bad.Fields {
			fields[f.Field] = append(fields[f.Field], f.Message)
		}
		return c.Status(fiber.StatusBadRequest).JSON(fiber.Map{"errors": fields})
	}
	if err != nil && fault.KindOf(err) == fault.Internal {
		return fmt.Errorf("cannot keep an event: %w", err)
	}
	if err != nil {
		return err
	}
	if verdict.Dropped > 0 {
		c.Set("X-Plausible-Dropped", strconv.Itoa(verdict.Dropped))
	}
	return ok(c)
}

// ok is the answer to every event that is no error, kept or not.
func ok(c *fiber.Ctx) error {
	c.Set(fiber.HeaderContentType, fiber.MIMETextPlainCharsetUTF8)
	return c.Status(fiber.StatusAccepted).SendString("ok")
}

// preflight lets pages on other origins send application/json.
func preflight(c *fiber.Ctx) error {
	c.Set(fiber.HeaderAccessControlAllowOrigin, "*")
	c.Set(fiber.HeaderAccessControlAllowMethods, "POST")
	c.Set(fiber.HeaderAccessControlAllowHeaders, "Content-Type")
	c.Set(fiber.HeaderAccessControlMaxAge, "86400")
	return c.SendStatus(fiber.StatusNoContent)
}

// tracker returns the handler of the script, compressed once.
func (s *Server) tracker() fiber.Handler {
	plain := s.cfg.Tracker
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
