// Package web is everything that is reached over HTTP: it takes events from trackers and objections from visitors, serves the tracker, the opt-out
// page and the dashboard, and answers the read API.
//
// It stands at both ends of the line: a tracker's request becomes an ingest.Hit, a dashboard's question goes to stats. It is the only package
// that knows fiber.
//
// Invariants: a request that two servers could read differently is refused before anything else looks at it. fiber's strings are reused after
// a handler returns; what stays is copied here. The visitor's address is the socket's peer, whatever a header says, but where the peer is a
// trusted proxy: then address says which header is believed. No address, agent, path or query string is logged. The dashboard and the read API
// answer this machine only, until there are accounts. An event that comes with an objection is answered like a kept one, byte for byte, and reaches
// nobody; nothing counts or notes who objects. No page but the opt-out page may stand in a frame.
//
// It decides nothing about an event (ingest does) and nothing about a number (query does).
package web

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"github.com/daysalt/daysalt/internal/address"
	"github.com/daysalt/daysalt/internal/fault"
	"github.com/daysalt/daysalt/internal/ingest"
	"github.com/daysalt/daysalt/internal/query"
	"github.com/daysalt/daysalt/internal/site"
	"github.com/daysalt/daysalt/internal/stats"
)

// readBuffer bounds a request's line and headers, in bytes. A first-party proxy sends the site's own cookies along.
const readBuffer = 16 << 10

// maxBody bounds a request's body, in bytes.
const maxBody = 128 << 10

// usualLimits stop slow clients. A question over a year may take its time, and so may its answer.
func usualLimits() limits {
	return limits{request: 5 * time.Second, answer: 30 * time.Second, idle: 30 * time.Second}
}

// Ingester takes hits.
type Ingester interface {
	Ingest(h *ingest.Hit) (ingest.Verdict, error)
}

// Answerer answers questions about a site.
type Answerer interface {
	Answer(ctx context.Context, s stats.Site, q *query.Question) (*stats.Answer, error)
	Current(ctx context.Context, s stats.Site) (stats.Value, error)
}

// Sites finds sites.
type Sites interface {
	Lookup(domain string) (*site.Site, bool)
	All() []*site.Site
}

// Config is what the server needs to know.
type Config struct {
	Version     string
	Demo        bool                          // serve /demo
	Tracker     []byte                        // d.js
	OptOut      []byte                        // opt-out.js
	Dashboard   fs.FS                         // the built dashboard, or an empty one
	Attribution func() (text, address string) // of the location database; "" for none

	Proxies      address.Proxies // whose word on the visitor's address is believed
	ClientHeader string          // the one header they say it in; "" for X-Forwarded-For and Forwarded

	StoresAddresses bool // masked addresses are kept for defence against abuse; the opt-out page says so
}

// Server answers HTTP.
type Server struct {
	cfg    Config
	ingest Ingester
	stats  Answerer
	sites  Sites
	now    func() time.Time
	log    *slog.Logger
	app    *fiber.App
	routed fasthttp.RequestHandler // all of app
	limits limits
	assets *assets
	optOut *optOutPage

	questions context.Context // ends when the server stops, and every question with it
	stop      context.CancelFunc
}

// New returns a server that does not listen yet.
func New(cfg Config, in Ingester, answers Answerer, sites Sites, log *slog.Logger, now func() time.Time) (*Server, error) { //nolint:revive // every argument is one neighbour on the line
	built, err := loadAssets(cfg.Dashboard)
	if err != nil {
		return nil, err
	}
	page, err := loadOptOut()
	if err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, ingest: in, stats: answers, sites: sites, now: now, log: log, assets: built, optOut: page, limits: usualLimits()}
	s.questions, s.stop = context.WithCancel(context.Background())
	s.app = fiber.New(fiber.Config{
		DisableStartupMessage: true,
		ServerHeader:          "",
		ReadBufferSize:        readBuffer,
		BodyLimit:             maxBody,
		ErrorHandler:          s.fail,
		CaseSensitive:         true,

		// A body is looked at by handlers only, and a file that somebody sends must not get to the disk.
		DisablePreParseMultipartForm: true,
	})
	s.routes()
	s.routed = s.app.Handler()
	server := s.app.Server()
	server.Handler, server.HeaderReceived, server.ErrorHandler = s.handle, headerRead, unread(server.ErrorHandler)
	return s, nil
}

func (s *Server) routes() {
	s.app.Use(s.recoverPanic, refuseAmbiguous)
	s.app.Post(eventPath, s.collectRouted)
	s.app.Options(eventPath, preflight)
	s.app.Get("/js/d.js", script(s.cfg.Tracker))
	s.app.Get("/js/opt-out.js", script(s.cfg.OptOut))
	s.app.Get(optOutPath, s.showOptOut)
	s.app.Post(optOutPath, s.takeOptOut)
	if s.cfg.Demo {
		s.app.Get("/demo", demo)
		s.app.Get("/demo/:page", demo)
	}
	own := s.app.Group("", s.onlyThisMachine)
	own.Post("/api/v2/query", s.query)
	own.Get("/api/v1/stats/realtime/visitors", s.realtime)
	own.Get("/api/v1/sites", s.listSites)
	own.Get("/api/*", func(*fiber.Ctx) error { return fiber.ErrNotFound })
	own.Get("/*", s.dashboard)
}

// Serve answers on a listener until Shutdown.
func (s *Server) Serve(l net.Listener) error { return s.app.Listener(listener{l, &s.limits}) }

// Shutdown stops accepting, ends questions (they can be asked again), lets events under way finish, and returns when they have or ctx ends.
func (s *Server) Shutdown(ctx context.Context) error {
	s.stop()
	return s.app.ShutdownWithContext(ctx)
}

// recoverPanic turns a panic into a 500. The panic's value may hold what a visitor sent, so only the place is logged.
func (s *Server) recoverPanic(c *fiber.Ctx) (err error) {
	defer func() {
		if r := recover(); r != nil {
			s.log.Error("a request panicked", "place", panicPlace())
			err = fiber.ErrInternalServerError
		}
	}()
	return c.Next()
}

// fail answers an error. Internal text goes to the log only.
func (s *Server) fail(c *fiber.Ctx, err error) error {
	connOf(c.Context()).answers(systemTime()) // fasthttp's own errors come here without a handler
	status, message := fiber.StatusInternalServerError, "internal error"
	if e, ok := errors.AsType[*fiber.Error](err); ok {
		status, message = e.Code, e.Message
		if status == fiber.StatusBadRequest {
			message = "the request is malformed or ambiguous" // fasthttp's own text repeats the request, agent and all
		}
	} else if f, ok := errors.AsType[*fault.Error](err); ok {
		status, message = statusOf(f.Kind), messageOf(f)
	}
	if status == fiber.StatusInternalServerError {
		s.log.Error("cannot answer a request", "error", err)
		message = "internal error"
	}
	if status == fiber.StatusServiceUnavailable {
		c.Set(fiber.HeaderRetryAfter, "5")
	}
	c.Set(fiber.HeaderContentSecurityPolicy, noFrame)
	return c.Status(status).JSON(fiber.Map{"error": message})
}

// messageOf leaves the cause out: it is for the log.
func messageOf(f *fault.Error) string {
	if f.Field == "" {
		return f.Message
	}
	return f.Field + ": " + f.Message
}

func statusOf(k fault.Kind) int {
	switch k {
	case fault.Invalid:
		return fiber.StatusBadRequest
	case fault.NotFound:
		return fiber.StatusNotFound
	case fault.Conflict:
		return fiber.StatusConflict
	case fault.Forbidden:
		return fiber.StatusForbidden
	case fault.Unavailable:
		return fiber.StatusServiceUnavailable
	case fault.Internal:
	}
	return fiber.StatusInternalServerError
}
