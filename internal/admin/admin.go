// Package admin is the operators' side of a running server: a socket in the data directory that the command line speaks to, and a listener
// for metrics, health and profiles.
//
// app builds its handlers; the commands of cmd/daysalt are clients of the socket. Where no server runs, a command builds the same handler
// in its own process and speaks to it without a socket, so there is one way to change a site.
//
// Invariants: the socket is 0600, whoever opens it owns the data. The listener shows counts and durations, never a visitor's data, and changes nothing.
//
// It holds no state of its own.
package admin

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/daysalt/daysalt/internal/fault"
	"github.com/daysalt/daysalt/internal/site"
)

// Sites is what the socket may do with sites. Remove also deletes the site's events.
type Sites interface {
	All() []*site.Site
	Get(domain string) (*site.Site, error)
	Create(ctx context.Context, domain string, c site.Change) (*site.Site, error)
	Set(ctx context.Context, domain string, c site.Change) (*site.Site, error)
	Remove(ctx context.Context, domain string) (*site.Site, error)
}

// Try is a text that somebody tries a site's redaction on, and what becomes of it.
type Try struct {
	Field string `json:"field"` // path, referrer, campaign, props, name
	Text  string `json:"text"`
}

// Services are what the socket gives commands to.
type Services struct {
	Sites   Sites
	Abuse   Abuse
	Imports Imports

	Retention Retention
	Erase     Erase
}

// Socket serves the command line.
type Socket struct {
	sites         Sites
	abuse         Abuse
	imports       Imports
	retentionDays int
	now           func() time.Time
	log           *slog.Logger
	mux           *http.ServeMux
}

// NewSocket returns the socket's handler; retentionDays is the default of a new site.
func NewSocket(services Services, retentionDays int, now func() time.Time, log *slog.Logger) *Socket {
	s := &Socket{
		sites: services.Sites, abuse: services.Abuse, imports: services.Imports,
		retentionDays: retentionDays, now: now, log: log, mux: http.NewServeMux(),
	}
	s.mux.HandleFunc("GET /sites", s.list)
	s.mux.HandleFunc("POST /sites", s.add)
	s.mux.HandleFunc("PATCH /sites", s.set)
	s.mux.HandleFunc("DELETE /sites", s.remove)
	s.mux.HandleFunc("POST /sites/try", s.try)
	s.abuseRoutes()
	s.importRoutes()
	s.retentionRoutes(services.Retention)
	s.eraseRoutes(services.Erase)
	return s
}

// ServeHTTP answers one command.
func (s *Socket) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

func (s *Socket) list(w http.ResponseWriter, _ *http.Request) {
	infos := []SiteInfo{}
	for _, one := range s.sites.All() {
		infos = append(infos, s.info(one))
	}
	s.answer(w, http.StatusOK, infos)
}

func (s *Socket) add(w http.ResponseWriter, r *http.Request) {
	var in AddSite
	if !s.read(w, r, &in) {
		return
	}
	if in.RetentionDays == 0 {
		in.RetentionDays = s.retentionDays
	}
	one, err := s.sites.Create(r.Context(), in.Domain, site.Change{
		Timezone: &in.Timezone, Preset: in.Preset, RetentionDays: &in.RetentionDays,
		AddressMask: in.AddressMask, HashAddress: in.HashAddress, GeoFrom: in.GeoFrom, City: in.City, DNT: in.DNT,
		AllowProps: in.AllowProps, MinVisitors: in.MinVisitors, BrandName: in.BrandName, BrandColor: in.BrandColor, Redact: in.Redact,
	})
	s.site(w, http.StatusCreated, one, err)
}

func (s *Socket) set(w http.ResponseWriter, r *http.Request) {
	var change site.Change
	if !s.read(w, r, &change) {
		return
	}
	domain := r.URL.Query().Get("domain")
	before, err := s.sites.Get(domain)
	if err != nil {
		s.fail(w, err)
		return
	}
	one, err := s.sites.Set(r.Context(), domain, change)
	if err != nil {
		s.fail(w, err)
		return
	}
	info := s.info(one)
	info.NewNumbers = site.Renumbered(before, one)
	s.answer(w, http.StatusOK, info)
}

// try answers with what the site's redaction makes of a text, which is stored nowhere.
func (s *Socket) try(w http.ResponseWriter, r *http.Request) {
	var in Try
	if !s.read(w, r, &in) {
		return
	}
	one, err := s.sites.Get(r.URL.Query().Get("domain"))
	if err == nil {
		in.Text, err = one.Try(in.Field, in.Text)
	}
	if err != nil {
		s.fail(w, err)
		return
	}
	s.answer(w, http.StatusOK, in)
}

func (s *Socket) remove(w http.ResponseWriter, r *http.Request) {
	one, err := s.sites.Remove(r.Context(), r.URL.Query().Get("domain"))
	s.site(w, http.StatusOK, one, err)
}

func (s *Socket) read(w http.ResponseWriter, r *http.Request, into any) bool {
	decoder := json.NewDecoder(io.LimitReader(r.Body, 1<<16))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		s.fail(w, fault.Invalidf("request", "is not what this command takes: %v", err))
		return false
	}
	return true
}

func (s *Socket) site(w http.ResponseWriter, status int, one *site.Site, err error) {
	if err != nil {
		s.fail(w, err)
		return
	}
	s.answer(w, status, s.info(one))
}

func (s *Socket) answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(body); err != nil {
		s.log.Warn("cannot answer a command", "error", err)
	}
}

// problem is a fault on the socket.
type problem struct {
	Kind    fault.Kind `json:"kind"`
	Field   string     `json:"field,omitempty"`
	Message string     `json:"message"`
}

func (s *Socket) fail(w http.ResponseWriter, err error) {
	p := problem{Message: err.Error()} // the asker owns the server, so even internal text may be shown
	status := http.StatusInternalServerError
	if f, ok := errors.AsType[*fault.Error](err); ok {
		p = problem{Kind: f.Kind, Field: f.Field, Message: f.Message}
		status = http.StatusBadRequest
	}
	s.answer(w, status, p)
}

// Health says whether the server can take events and answer questions.
type Health interface {
	Ready(ctx context.Context) error
}

// NewListener returns the handler of the operators' listener: /metrics, /healthz (the process lives), /readyz (the database answers) and
// /debug/pprof/.
func NewListener(metrics http.Handler, health Health) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metrics)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok\n") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
		defer cancel()
		if err := health.Ready(ctx); err != nil {
			http.Error(w, "not ready", http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, "ok\n")
	})
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return mux
}
