package admin_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daysalt/daysalt/internal/abuse"
	"github.com/daysalt/daysalt/internal/admin"
	"github.com/daysalt/daysalt/internal/fault"
)

// table answers what it was told to, and keeps what it was asked.
type table struct {
	recording bool
	sums      []abuse.Summary
	err       error
	asked     *abuse.Filter
}

func (a table) Recording() bool { return a.recording }

func (a table) Abuse(_ context.Context, f abuse.Filter) ([]abuse.Summary, error) {
	*a.asked = f
	return a.sums, a.err
}

func newAbuseSocket(sites admin.Sites, a table) *admin.Socket {
	return admin.NewSocket(admin.Services{Sites: sites, Abuse: a}, 90, noon, slog.New(slog.DiscardHandler))
}

func TestAbuse(t *testing.T) {
	registry := newRegistry(t)
	shop, err := registry.Add(t.Context(), "shop.example", "UTC", 30)
	if err != nil {
		t.Fatal(err)
	}
	first, last := noon().Add(-time.Hour), noon().Add(-time.Minute)
	sum := func(site uint32, address, reason string, events uint64) abuse.Summary {
		return abuse.Summary{SiteID: site, Address: netip.MustParseAddr(address), Reason: reason, Events: events, First: first, Last: last}
	}
	a := table{recording: true, asked: new(abuse.Filter), sums: []abuse.Summary{
		sum(shop.ID, "203.0.0.0", "bot", 1<<40), sum(0, "2001:db8:1::", "unknown_site", 7), sum(shop.ID+1, "0.0.0.0", "kept", 1), // of a site that was removed meanwhile
	}}
	row := func(site, address, reason string, events uint64) admin.AbuseRow {
		return admin.AbuseRow{Site: site, Address: address, Reason: reason, Events: events, First: first, Last: last}
	}
	want := admin.AbuseReport{Recording: true, Rows: []admin.AbuseRow{
		row("shop.example", "203.0.0.0", "bot", 1<<40), row("", "2001:db8:1::", "unknown_site", 7), row("", "0.0.0.0", "kept", 1),
	}}
	socket := newAbuseSocket(registry, a)
	f := func(c *admin.Client, q admin.AbuseQuery, filter abuse.Filter) {
		t.Helper()
		got, err := c.Abuse(t.Context(), q)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%+v: %v: %s", q, err, diff)
		}
		if diff := cmp.Diff(filter, *a.asked); diff != "" {
			t.Errorf("%+v: %s", q, diff)
		}
	}
	for _, c := range []*admin.Client{admin.Local(socket), dial(t, socket)} {
		f(c, admin.AbuseQuery{Hours: 1, Limit: 1000}, abuse.Filter{From: first, Limit: 1000})
		f(c, admin.AbuseQuery{Hours: 360, Limit: 1}, abuse.Filter{From: noon().AddDate(0, 0, -15), Limit: 1})
		f(c, admin.AbuseQuery{Domain: "www.Shop.example", Hours: 24, Limit: 50}, abuse.Filter{SiteID: &shop.ID, From: noon().AddDate(0, 0, -1), Limit: 50})
	}
	empty := newAbuseSocket(registry, table{asked: new(abuse.Filter)})
	got, err := admin.Local(empty).Abuse(t.Context(), admin.AbuseQuery{Hours: 1, Limit: 1})
	if diff := cmp.Diff(admin.AbuseReport{Rows: []admin.AbuseRow{}}, got); diff != "" || err != nil {
		t.Errorf("empty: %v: %s", err, diff)
	}
}

// What is asked on the socket itself: left out means the default, and what is wrong is named.
func TestAbuse_parameters(t *testing.T) {
	registry := newRegistry(t)
	if _, err := registry.Add(t.Context(), "shop.example", "UTC", 30); err != nil {
		t.Fatal(err)
	}
	const untouched = -1
	a := table{asked: new(abuse.Filter)}
	socket := newAbuseSocket(registry, a)
	f := func(query string, status int, want string, limit int) {
		t.Helper()
		*a.asked = abuse.Filter{Limit: untouched}
		w := httptest.NewRecorder()
		socket.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/abuse?"+query, http.NoBody))
		if w.Code != status || !strings.Contains(w.Body.String(), want) || a.asked.Limit != limit {
			t.Errorf("%q: %d %s, asked for %+v", query, w.Code, w.Body, a.asked)
		}
	}
	f("", 200, `{"recording":false,"rows":[]}`, 50)
	if want := (abuse.Filter{From: noon().AddDate(0, 0, -1), Limit: 50}); !cmp.Equal(*a.asked, want) {
		t.Errorf("without parameters: %+v, want %+v", a.asked, want)
	}
	f("domain=&hours=24&limit=50", 200, `"rows":[]`, 50)
	f("hours=1&limit=1", 200, `"rows":[]`, 1)
	f("hours=360&limit=1000", 200, `"rows":[]`, 1000)
	for _, wrong := range []string{"0", "-1", "361", "", "long", "1.5", "1e1", "9999999999999999999999"} {
		f("hours="+wrong, 400, `"field":"hours"`, untouched)
	}
	for _, wrong := range []string{"0", "-1", "1001", "", "all"} {
		f("limit="+wrong, 400, `"field":"limit"`, untouched)
	}
	f("hours=0", 400, "between 1 and 360", untouched)
	f("limit=0", 400, "between 1 and 1000", untouched)
	f("domain=blog.example", 400, `"field":"domain"`, untouched)
	f("domain=%00", 400, `"field":"domain"`, untouched)
	f("domain=../sites", 400, `"field":"domain"`, untouched)
}

func TestAbuse_fails(t *testing.T) {
	f := func(c *admin.Client, kind fault.Kind, want string) {
		t.Helper()
		got, err := c.Abuse(t.Context(), admin.AbuseQuery{Hours: 24, Limit: 50})
		if fault.KindOf(err) != kind || err == nil || !strings.Contains(err.Error(), want) || got.Rows != nil {
			t.Errorf("%+v, %v", got, err)
		}
	}
	away := table{asked: new(abuse.Filter), err: fault.Unavailablef(errors.New("cause"), "the database does not answer")}
	f(admin.Local(newAbuseSocket(newRegistry(t), away)), fault.Unavailable, "does not answer")
	f(dial(t, newAbuseSocket(newRegistry(t), away)), fault.Unavailable, "does not answer")
	f(admin.Local(newSocket(newRegistry(t))), fault.Internal, "cannot read the server's answer") // a server without the table
}
