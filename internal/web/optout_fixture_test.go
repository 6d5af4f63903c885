package web_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/daysalt/daysalt/internal/address"
	"github.com/daysalt/daysalt/internal/site"
	"github.com/daysalt/daysalt/internal/web"
)

// listed are sites with settings of a test's own.
type listed map[string]*site.Site

func (l listed) Lookup(domain string) (*site.Site, bool) {
	s, ok := l[domain]
	return s, ok
}

func (l listed) All() []*site.Site {
	all := make([]*site.Site, 0, len(l))
	for _, s := range l {
		all = append(all, s)
	}
	return all
}

// preset returns a site with what a preset holds, and what change makes of it.
func preset(t *testing.T, name string, change func(*site.Site)) *site.Site {
	t.Helper()
	known, ok := sites(t).Lookup("shop.example")
	if !ok {
		t.Fatal("shop.example is missing")
	}
	s := *known
	s.RetentionDays, s.AddressMask, s.HashAddress, s.GeoFrom, s.City = 396, 2, site.HashFull, site.GeoCut, false
	s.Visitors, s.TimeStep, s.ReferrerHost, s.Versions, s.Screen = true, time.Second, false, true, true
	s.Props, s.AllowProps, s.Campaigns, s.DNT = site.PropsRedacted, nil, site.CampaignsRedacted, false
	switch name {
	case "default":
	case "masked":
		s.HashAddress, s.GeoFrom = site.HashMasked, site.GeoMasked
	case "cnil":
		s.HashAddress, s.GeoFrom, s.TimeStep, s.ReferrerHost, s.Screen = site.HashMasked, site.GeoMasked, time.Minute, true, false
		s.Props, s.Campaigns = site.PropsListed, site.CampaignsMasked
	case "strict":
		s.Visitors, s.AddressMask, s.HashAddress, s.GeoFrom, s.TimeStep = false, 4, site.HashMasked, site.GeoOff, time.Hour
		s.ReferrerHost, s.Versions, s.Screen, s.Props, s.Campaigns, s.RetentionDays = true, false, false, site.PropsNone, site.CampaignsNone, 31
	default:
		t.Fatalf("no preset %s", name)
	}
	if change != nil {
		change(&s)
	}
	return &s
}

// behindTLS is a fixture whose peer is a trusted proxy.
func behindTLS(t *testing.T) *fixture {
	t.Helper()
	proxies, err := address.ParseProxies([]string{"127.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	return &fixture{config: web.Config{Proxies: proxies}}
}

// wire is the first answer as it comes over the wire, without a 100 before it and without the value of Date, which no two answers share.
func wire(t *testing.T, at, request string) string {
	t.Helper()
	conn, err := net.Dial("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.WriteString(conn, request) }() // the server may answer before it has read all
	var got strings.Builder
	from := bufio.NewReader(conn)
	for length := -1; length != 0; {
		line, err := from.ReadString('\n')
		if err != nil {
			t.Fatalf("%.100q: %v after %q", request, err, got.String())
		}
		switch name, value, _ := strings.Cut(strings.TrimSpace(line), ": "); name {
		case "HTTP/1.1 100 Continue":
			_, _ = from.ReadString('\n')
			continue
		case "Date":
			line = "Date\r\n"
		case "Content-Length":
			if length, err = strconv.Atoi(value); err != nil {
				t.Fatal(err)
			}
		case "":
			body := make([]byte, max(length, 0))
			if _, err := io.ReadFull(from, body); err != nil {
				t.Fatal(err)
			}
			line, length = line+string(body), 0
		}
		got.WriteString(line)
	}
	return got.String()
}

// follow makes a call, as a browser does, and leaves redirects alone.
func follow(t *testing.T, at, method, target, body string, headers ...string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://"+at+target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
		}
		r.Header.Add(headers[i], headers[i+1])
	}
	got, err := (&http.Transport{DisableKeepAlives: true, DisableCompression: true}).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{got.StatusCode, got.Header, string(text)}
}

// post sends the page's form from its own origin.
func post(t *testing.T, at, form string, headers ...string) answer {
	t.Helper()
	return follow(t, at, "POST", "/opt-out", form, append([]string{"Content-Type", "application/x-www-form-urlencoded", "Sec-Fetch-Site", "same-origin"}, headers...)...)
}
