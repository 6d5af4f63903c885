package admin_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daysalt/daysalt/internal/admin"
	"github.com/daysalt/daysalt/internal/fault"
	"github.com/daysalt/daysalt/internal/settings"
	"github.com/daysalt/daysalt/internal/site"
)

// noon is the only moment; in Auckland it is the next day already.
func noon() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) }

// broken is a registry on which every change fails.
type broken struct {
	*site.Registry
	err error
}

func (b broken) Get(string) (*site.Site, error) { return &site.Site{}, nil }

func (b broken) Create(context.Context, string, site.Change) (*site.Site, error) { return nil, b.err }

func (b broken) Set(context.Context, string, site.Change) (*site.Site, error) { return nil, b.err }

func (b broken) Remove(context.Context, string) (*site.Site, error) { return nil, b.err }

func customers() []site.Rule {
	return []site.Rule{{Field: "path", Match: "^/customers/([^/]+)", As: "{customer}"}}
}

func newRegistry(t *testing.T) *site.Registry {
	t.Helper()
	db, err := settings.Open(t.Context(), filepath.Join(t.TempDir(), "settings.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	registry, err := site.NewRegistry(t.Context(), db, noon)
	if err != nil {
		t.Fatal(err)
	}
	return registry
}

func newSocket(sites admin.Sites) *admin.Socket {
	return admin.NewSocket(admin.Services{Sites: sites}, 90, noon, slog.New(slog.DiscardHandler))
}

// dial serves a handler on a socket and returns a client of it.
func dial(t *testing.T, h http.Handler) *admin.Client {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := &httptest.Server{Listener: l, Config: &http.Server{Handler: h, ReadHeaderTimeout: time.Second}}
	server.Start()
	t.Cleanup(server.Close)
	c, err := admin.Dial(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// defaults is a new site.
func defaults(domain string) admin.SiteInfo {
	return admin.SiteInfo{
		Domain: domain, Timezone: "UTC", Preset: "default", RetentionDays: 90, AddressMask: 2, HashAddress: "full", GeoFrom: "cut", AllowProps: []string{},
		Redact: []site.Rule{}, Created: noon(), Visitors: true, TimeStep: "second", Versions: true, Screen: true, Props: "redacted", Campaigns: "redacted",
	}
}

// Every command, in this process and over a socket.
func TestCommands(t *testing.T) {
	f := func(c *admin.Client) {
		t.Helper()
		expect := func(got any, err error, want any) {
			t.Helper()
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Errorf("%v: %s", err, diff)
			}
		}
		shop, blog := defaults("shop.example"), defaults("xn--blg-tna.example")
		shop.Timezone = "Europe/Berlin"
		blog.RetentionDays, blog.AddressMask, blog.HashAddress, blog.GeoFrom, blog.Redact = 30, 3, "masked", "off", customers()
		ctx := t.Context()

		infos, err := c.Sites(ctx)
		expect(infos, err, []admin.SiteInfo{})
		info, err := c.AddSite(ctx, admin.AddSite{Domain: "www.Shop.example", Timezone: "Europe/Berlin"})
		expect(info, err, shop)
		info, err = c.AddSite(ctx, admin.AddSite{
			Domain: "blög.example", Timezone: "UTC", RetentionDays: 30, AddressMask: new(3), HashAddress: new("masked"), GeoFrom: new("off"), Redact: new(customers()),
		})
		expect(info, err, blog)
		infos, err = c.Sites(ctx)
		expect(infos, err, []admin.SiteInfo{shop, blog})

		zone, days := "Pacific/Auckland", 365
		shop.RetentionDays = days
		info, err = c.SetSite(ctx, "shop.example", site.Change{RetentionDays: &days})
		expect(info, err, shop)
		shop.NextTimezone, shop.NextFrom = zone, time.Date(2026, 11, 23, 11, 0, 0, 0, time.UTC)
		info, err = c.SetSite(ctx, "www.shop.example", site.Change{Timezone: &zone})
		expect(info, err, shop)
		shop.AddressMask, shop.GeoFrom, shop.Redact = 1, "masked", customers()
		info, err = c.SetSite(ctx, "shop.example", site.Change{AddressMask: new(1), GeoFrom: new("masked"), Redact: new(customers())})
		expect(info, err, shop)
		shop.HashAddress, shop.NewNumbers = "masked", true
		info, err = c.SetSite(ctx, "shop.example", site.Change{HashAddress: new("masked")})
		expect(info, err, shop)
		shop.NewNumbers = false
		info, err = c.SetSite(ctx, "shop.example", site.Change{HashAddress: new("masked")})
		expect(info, err, shop)
		shop.Redact = []site.Rule{}
		info, err = c.SetSite(ctx, "shop.example", site.Change{Redact: &[]site.Rule{}, RedactWas: new(customers())})
		expect(info, err, shop)
		_, err = c.SetSite(ctx, "shop.example", site.Change{Redact: &[]site.Rule{}, RedactWas: new(customers())})
		if fault.KindOf(err) != fault.Conflict {
			t.Errorf("a change of rules that are others by now: %v", err)
		}

		try, err := c.TryRedaction(ctx, "blög.example", admin.Try{Field: "path", Text: "/customers/anna/orders"})
		expect(try, err, admin.Try{Field: "path", Text: "/customers/{customer}/orders"})
		try, err = c.TryRedaction(ctx, "shop.example", admin.Try{Field: "path", Text: "/customers/anna/orders"})
		expect(try, err, admin.Try{Field: "path", Text: "/customers/anna/orders"})

		info, err = c.RemoveSite(ctx, "xn--blg-tna.example")
		expect(info, err, blog)
		infos, err = c.Sites(ctx)
		expect(infos, err, []admin.SiteInfo{shop})
	}
	f(admin.Local(newSocket(newRegistry(t))))
	f(dial(t, newSocket(newRegistry(t))))
}

// A site is shown as it is measured, and beside that what was set where its preset is stricter; nothing of what was set is lost.
func TestCommands_preset(t *testing.T) {
	f := func(c *admin.Client) {
		t.Helper()
		expect := func(want admin.SiteInfo, change site.Change) {
			t.Helper()
			got, err := c.SetSite(t.Context(), "a.example", change)
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Errorf("%v: %s", err, diff)
			}
		}
		lax := defaults("a.example")
		lax.RetentionDays, lax.AddressMask, lax.City, lax.DNT, lax.AllowProps, lax.MinVisitors = 1000, 1, true, true, []string{"plan", "colour"}, 3
		lax.BrandName, lax.BrandColor = "Müller & Söhne", "#aabb00"
		masked := lax
		masked.Preset, masked.AddressMask, masked.HashAddress, masked.GeoFrom = "masked", 2, "masked", "masked"
		masked.OwnAddressMask, masked.OwnHashAddress, masked.OwnGeoFrom = 1, "full", "cut"
		cnil := masked
		cnil.Preset, cnil.RetentionDays, cnil.City, cnil.MinVisitors, cnil.TimeStep, cnil.ReferrerHost = "cnil", 759, false, 10, "minute", true
		cnil.Screen, cnil.Props, cnil.Campaigns = false, "listed", "masked"
		cnil.OwnRetentionDays, cnil.OwnCity, cnil.OwnMinVisitors = 1000, true, new(3)
		strict := cnil
		strict.Preset, strict.RetentionDays, strict.AddressMask, strict.GeoFrom, strict.Visitors, strict.TimeStep = "strict", 31, 4, "off", false, "hour"
		strict.Versions, strict.Props, strict.Campaigns = false, "none", "none"

		info, err := c.AddSite(t.Context(), admin.AddSite{
			Domain: "a.example", Timezone: "UTC", Preset: new("default"), RetentionDays: 1000, AddressMask: new(1), City: new(true), DNT: new(true),
			AllowProps: &[]string{"plan", "colour"}, MinVisitors: new(3), BrandName: new("Müller & Söhne"), BrandColor: new("#AABB00"),
		})
		if diff := cmp.Diff(lax, info); diff != "" || err != nil {
			t.Errorf("%v: %s", err, diff)
		}
		changed := func(info admin.SiteInfo) admin.SiteInfo { info.NewNumbers = true; return info }
		expect(changed(masked), site.Change{Preset: new("masked")})
		expect(cnil, site.Change{Preset: new("cnil")})
		expect(changed(strict), site.Change{Preset: new("strict")})
		expect(strict, site.Change{DNT: new(true)})
		expect(changed(lax), site.Change{Preset: new("default")})
		strict.OwnHashAddress, strict.OwnGeoFrom, strict.OwnAddressMask, strict.OwnRetentionDays, strict.OwnCity, strict.OwnMinVisitors = "", "", 0, 0, false, nil
		expect(changed(strict), site.Change{
			Preset: new("strict"), HashAddress: new("masked"), GeoFrom: new("off"), AddressMask: new(4), RetentionDays: new(31), City: new(false), MinVisitors: new(10),
		})
	}
	f(admin.Local(newSocket(newRegistry(t))))
	f(dial(t, newSocket(newRegistry(t))))
}

// A fault comes out of the socket as it went in; any other error keeps its text, because the asker owns the server.
func TestErrors(t *testing.T) {
	f := func(err error, want *fault.Error) {
		t.Helper()
		socket := newSocket(broken{newRegistry(t), err})
		for name, c := range map[string]*admin.Client{"local": admin.Local(socket), "dialled": dial(t, socket)} {
			days := 1
			_, add := c.AddSite(t.Context(), admin.AddSite{})
			_, set := c.SetSite(t.Context(), "a.example", site.Change{RetentionDays: &days})
			_, remove := c.RemoveSite(t.Context(), "a.example")
			for command, err := range map[string]error{"add": add, "set": set, "remove": remove} {
				got, ok := errors.AsType[*fault.Error](err)
				if !ok || *got != *want {
					t.Errorf("%s, %s: %#v, want %#v", name, command, err, want)
				}
			}
		}
	}
	for kind := fault.Internal; kind <= fault.Unavailable; kind++ {
		f(&fault.Error{Kind: kind, Field: "domain", Message: "is wrong"}, &fault.Error{Kind: kind, Field: "domain", Message: "is wrong"})
	}
	f(fault.Unavailablef(errors.New("cause"), "not now"), &fault.Error{Kind: fault.Unavailable, Message: "not now"})
	f(fmt.Errorf("cannot add the site: %w", fault.Conflictf("domain", "is taken")), &fault.Error{Kind: fault.Conflict, Field: "domain", Message: "is taken"})
	f(errors.New("disk full"), &fault.Error{Kind: fault.Internal, Message: "disk full"})
}

// Names that are no domains reach the registry as they are: none of them is another command.
func TestOddDomains(t *testing.T) {
	registry := newRegistry(t)
	if _, err := registry.Add(t.Context(), "kept.example", "UTC", 30); err != nil {
		t.Fatal(err)
	}
	c := dial(t, newSocket(registry))
	zone := "UTC"
	for _, domain := range []string{"", ".", "..", "/", "../sites", "a/b", "%2e", "a?domain=kept.example", "a&domain=kept.example", "a#b", "a b", "\x00", "ü"} {
		_, remove := c.RemoveSite(t.Context(), domain)
		_, set := c.SetSite(t.Context(), domain, site.Change{Timezone: &zone})
		for _, err := range []error{remove, set} {
			if got, ok := errors.AsType[*fault.Error](err); !ok || got.Kind != fault.NotFound || got.Field != "domain" {
				t.Errorf("%q: %v", domain, err)
			}
		}
	}
	if len(registry.All()) != 1 {
		t.Error("a site is gone")
	}
}

func TestSocket_badRequests(t *testing.T) {
	socket := newSocket(newRegistry(t))
	f := func(method, target, body string, status int, want string) {
		t.Helper()
		w := httptest.NewRecorder()
		socket.ServeHTTP(w, httptest.NewRequest(method, target, strings.NewReader(body)))
		if w.Code != status || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s %s %.40q: %d %s", method, target, body, w.Code, w.Body)
		}
	}
	f("POST", "/sites", "", 400, `"field":"request"`)
	f("POST", "/sites", "no JSON", 400, `"field":"request"`)
	f("POST", "/sites", `{"domain":7}`, 400, `"field":"request"`)
	f("POST", "/sites", `{"domain":"a.example","timezone":"UTC","colour":"red"}`, 400, `"field":"request"`)
	f("POST", "/sites", `{"domain":"`+strings.Repeat("a", 1<<16)+`"}`, 400, `"field":"request"`)
	f("PATCH", "/sites?domain=a.example", `{"timezone":7}`, 400, `"field":"request"`)
	f("PATCH", "/sites?domain=a.example", `{"timezone":"UTC"}`, 400, `"field":"domain"`)
	f("PATCH", "/sites?domain=a.example", `{"address_mask":"two"}`, 400, `"field":"request"`)
	f("PATCH", "/sites?domain=a.example", `{"address_mask":2.5}`, 400, `"field":"request"`)
	f("PATCH", "/sites?domain=a.example", `{"redact":[{"field":"path","match":"a","as":"b","mode":"c"}]}`, 400, `"field":"request"`)
	const add = `{"domain":"a.example","timezone":"UTC",`
	f("POST", "/sites", add+`"address_mask":7}`, 400, `"field":"address_mask","message":"is 7, and must be between 1 `)
	f("POST", "/sites", add+`"address_mask":0}`, 400, `"field":"address_mask"`)
	f("POST", "/sites", add+`"hash_address":"none"}`, 400, `"field":"hash_address"`)
	f("POST", "/sites", add+`"geo_from":"full"}`, 400, `"field":"geo_from"`)
	f("POST", "/sites", add+`"redact":[{"field":"path","match":"(","as":"x"}]}`, 400, `"field":"redact[0].match"`)
	f("GET", "/sites", "", 200, "[]") // none of these made a site
	f("POST", "/sites", add+`"preset":"lax"}`, 400, `"field":"preset","message":"is \"lax\", and must be default, masked, cnil or strict"`)
	f("POST", "/sites", add+`"min_visitors":1001}`, 400, `"field":"min_visitors"`)
	f("POST", "/sites", add+`"allow_props":["a","a"]}`, 400, `"field":"allow_props"`)
	f("POST", "/sites", add+`"allow_props":"a"}`, 400, `"field":"request"`)
	f("POST", "/sites", add+`"brand_name":"a\nb"}`, 400, `"field":"brand_name"`)
	f("POST", "/sites", add+`"brand_color":"red"}`, 400, `"field":"brand_color"`)
	f("POST", "/sites", add+`"city":1}`, 400, `"field":"request"`)
	f("GET", "/sites", "", 200, "[]") // nor did these
	f("POST", "/sites", add+`"redact":null,"allow_props":null}`, 201, `"address_mask":2,"hash_address":"full","geo_from":"cut","city":false,"dnt":false,"allow_props":[],`)
	f("PATCH", "/sites?domain=a.example", `{"preset":"lax"}`, 400, `"field":"preset"`)
	f("PATCH", "/sites?domain=a.example", `{"dnt":"yes"}`, 400, `"field":"request"`)
	f("PATCH", "/sites?domain=a.example", `{"preset":"cnil"}`, 200, `"own_hash_address":"full","own_geo_from":"cut","own_min_visitors":0,"new_numbers":true}`)
	f("PATCH", "/sites?domain=a.example", `{"address_mask":7}`, 400, `"field":"address_mask"`)
	f("PATCH", "/sites?domain=a.example", `{"redact":null}`, 400, "nothing to change")
	f("POST", "/sites/try?domain=a.example", `{"field":"city","text":"x"}`, 400, `"field":"field"`)
	f("POST", "/sites/try?domain=b.example", `{"field":"path","text":"x"}`, 400, `"field":"domain"`)
	f("POST", "/sites/try?domain=a.example", `{"field":"path","text":7}`, 400, `"field":"request"`)
	f("PUT", "/sites", "{}", 405, "")
	f("GET", "/nothing", "", 404, "")
}

// A socket that nobody serves, and a server that is none of ours.
func TestDial_fails(t *testing.T) {
	if _, err := admin.Dial(t.Context(), filepath.Join(t.TempDir(), "s")); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("no socket: %v", err)
	}
	c := dial(t, http.NotFoundHandler())
	if _, err := c.Sites(t.Context()); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("another server: %v", err)
	}
	c = dial(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }))
	if _, err := c.Sites(t.Context()); err == nil {
		t.Error("an answer that is none was taken")
	}
	c = dial(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	if _, err := c.Sites(t.Context()); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("a server that dies: %v", err)
	}
}

// health answers what it was told to.
type health struct{ err error }

func (h health) Ready(context.Context) error { return h.err }

func TestListener(t *testing.T) {
	metrics := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "the metrics") })
	f := func(ready error, method, path string, status int, want string) {
		t.Helper()
		w := httptest.NewRecorder()
		admin.NewListener(metrics, health{ready}).ServeHTTP(w, httptest.NewRequest(method, path, http.NoBody))
		if w.Code != status || !strings.Contains(w.Body.String(), want) || strings.Contains(w.Body.String(), "secret") {
			t.Errorf("%s %s: %d %.200s", method, path, w.Code, w.Body)
		}
	}
	down := errors.New("secret cause")
	f(nil, "GET", "/metrics", 200, "the metrics")
	f(nil, "GET", "/healthz", 200, "ok")
	f(down, "GET", "/healthz", 200, "ok")
	f(nil, "GET", "/readyz", 200, "ok")
	f(down, "GET", "/readyz", 503, "not ready")
	f(nil, "GET", "/debug/pprof/", 200, "goroutine")
	f(nil, "GET", "/debug/pprof/cmdline", 200, "")
	f(nil, "GET", "/", 404, "")
	for _, path := range []string{"/metrics", "/healthz", "/readyz", "/debug/pprof/", "/debug/pprof/symbol"} {
		f(nil, "POST", path, 405, "")
	}
}
