package web_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/daysalt/daysalt/internal/ingest"
)

// counted is an ingester that keeps everything but what DNT objects to, and counts what reached it.
func counted(n *atomic.Int64) ingester {
	return func(h *ingest.Hit) (ingest.Verdict, error) {
		n.Add(1)
		if h.DNT {
			return ingest.Verdict{}, nil
		}
		return ingest.Verdict{Kept: 1}, nil
	}
}

const event = `{"n":"pageview","u":"https://shop.example/","d":"shop.example"}`

// eventRequest is an event with more header lines. Only the first of these targets does without fiber.
func eventRequest(target, lines, body string) string {
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: stats.example.com\r\nUser-Agent: the agent\r\n%sContent-Length: %d\r\n\r\n%s", target, lines, len(body), body)
}

func targets() []string { return []string{"/api/event", "/api/event?x=1", "/api/event/"} }

// What is an objection, and what only looks like one.
func TestObjection(t *testing.T) {
	var hits atomic.Int64
	at := (&fixture{ingest: counted(&hits)}).serve(t)
	f := func(objects bool, lines string) {
		t.Helper()
		for _, target := range targets() {
			hits.Store(0)
			got, _ := raw(t, at, eventRequest(target, lines+"Connection: close\r\n", event))
			if !strings.HasPrefix(got, "HTTP/1.1 202 ") || (hits.Load() == 0) != objects {
				t.Errorf("%s with %q: %d hits, want an objection: %v; %.40q", target, lines, hits.Load(), objects, got)
			}
		}
	}
	f(true, "Sec-GPC: 1\r\n")
	f(true, "sec-gpc:\t1 \r\n")
	f(false, "")
	f(false, "Sec-GPC: 0\r\n")
	f(false, "Sec-GPC: 11\r\n")
	f(false, "Sec-GPC: true\r\n")
	f(false, "Sec-GPC:\r\n")
	f(false, "DNT: 1\r\n") // the site decides

	f(true, "Cookie: daysalt_optout=1\r\n")
	f(true, "cookie:daysalt_optout=1\r\n")
	f(true, "Cookie: a=b; daysalt_optout=1\r\n")
	f(true, "Cookie: daysalt_optout=1; a=b\r\n")
	f(true, "Cookie: a=b;daysalt_optout=1;c=d\r\n")
	f(true, "Cookie: a=b;\t daysalt_optout=1 ;c=d\r\n")
	f(true, "Cookie: a=b; c=d\r\nAccept: */*\r\nCookie: daysalt_optout=1\r\n")
	f(true, "Cookie: daysalt_optout=1\r\nCookie: a=b\r\n")
	f(true, "Cookie: daysalt_optout=0; daysalt_optout=1\r\n")
	f(true, "Cookie: a=b;\r\n daysalt_optout=1\r\n")
	f(true, "Cookie: "+strings.Repeat("a=b; ", 2000)+"daysalt_optout=1\r\n")
	f(false, "Cookie: daysalt_optout=0\r\n")
	f(false, "Cookie: daysalt_optout=11\r\n")
	f(false, "Cookie: daysalt_optout=1x\r\n")
	f(false, "Cookie: daysalt_optout=\"1\"\r\n")
	f(false, "Cookie: daysalt_optout=\r\n")
	f(false, "Cookie: daysalt_optout\r\n")
	f(false, "Cookie: daysalt_optout =1\r\n")
	f(false, "Cookie: xdaysalt_optout=1\r\n")
	f(false, "Cookie: daysalt_optout2=1\r\n")
	f(false, "Cookie: Daysalt_Optout=1\r\n")
	f(false, "Cookie: a=daysalt_optout=1\r\n")
	f(false, "Cookie: a=b, daysalt_optout=1\r\n")
	f(false, "Cookie: a=\"b; daysalt_optout=1x\"\r\n")
	f(false, "Cookie2: daysalt_optout=1\r\n")
	f(false, "X-Cookie: daysalt_optout=1\r\n")
	f(false, "Set-Cookie: daysalt_optout=1\r\n")
}

// Whoever objects gets what a kept event gets, byte for byte, whatever they sent.
func TestObjection_wire(t *testing.T) {
	var hits atomic.Int64
	at := (&fixture{ingest: counted(&hits)}).serve(t)
	for _, end := range []string{"", "Connection: close\r\n"} {
		for _, target := range targets() {
			want := wire(t, at, eventRequest(target, end, event))
			if !strings.HasPrefix(want, "HTTP/1.1 202 Accepted\r\n") || !strings.HasSuffix(want, "\r\n\r\nok") {
				t.Fatalf("a kept event: %q", want)
			}
			f := func(lines, body string) {
				t.Helper()
				if got := wire(t, at, eventRequest(target, lines+end, body)); got != want {
					t.Errorf("%s with %q: %q, want %q", target, lines, got, want)
				}
			}
			f("DNT: 1\r\n", event)
			for _, lines := range []string{"Sec-GPC: 1\r\n", "Cookie: daysalt_optout=1\r\n", "Sec-GPC: 1\r\nDNT: 1\r\nCookie: daysalt_optout=1\r\n"} {
				f(lines, event)
				f(lines, "no JSON")
				f(lines, "")
				f(lines+"Content-Encoding: gzip\r\n", event)
				f(lines+"Content-Type: multipart/form-data; boundary=x\r\n", "no form")
			}
		}
	}
	const kept, objectsToSite = 1, 1
	if want := int64(2 * len(targets()) * (kept + objectsToSite)); hits.Load() != want {
		t.Errorf("%d hits, want %d", hits.Load(), want)
	}
}

// A body that is too long for an event is not too long for an objection. That the connection ends is all that differs.
func TestObjection_tooLong(t *testing.T) {
	var hits atomic.Int64
	at := (&fixture{ingest: counted(&hits)}).serve(t)
	want := wire(t, at, eventRequest("/api/event", "Connection: close\r\n", event))
	hits.Store(0)
	const start, length, chunked, expect = "POST /api/event HTTP/1.1\r\nHost: a.example\r\n", "Content-Length: 131073\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n20001\r\n", "Expect: 100-continue\r\n"
	f := func(answer, request string) {
		t.Helper()
		got := wire(t, at, request)
		if answer == "" && got != want || !strings.HasPrefix(got, "HTTP/1.1 "+answer) {
			t.Errorf("%.150q: %.300q, want %s", request, got, answer+want)
		}
	}
	for _, lines := range []string{"Sec-GPC: 1\r\n", "Cookie: a=b; daysalt_optout=1\r\n"} {
		f("", start+lines+length)
		f("", start+lines+chunked)
		f("", start+lines+expect+length)
		f("", strings.Replace(start, "event", "event?x=1", 1)+lines+length)
		f("", strings.Replace(start, "event", "event/", 1)+lines+chunked)
		f("413 ", strings.Replace(start, "event", "events", 1)+lines+length)
		f("413 ", strings.Replace(start, "POST", "PUT", 1)+lines+length)
		f("413 ", "POST /opt-out HTTP/1.1\r\nHost: a.example\r\n"+lines+chunked)
		f("413 ", start+"Host: b.example\r\n"+lines+length)
		f("400 ", start+lines+"Transfer-Encoding: chunked\r\n\r\nno number\r\n")
		// An objection is the request's own, not the connection's.
		f("202 ", start+lines+"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"+start+length)
	}
	for _, lines := range []string{"", "Sec-GPC: 0\r\n", "Cookie: daysalt_optout=11\r\n", "DNT: 1\r\n"} {
		f("413 ", start+lines+length)
		f("413 ", start+lines+chunked)
		f("413 ", start+lines+expect+length)
	}
	if hits.Load() != 0 {
		t.Errorf("%d hits", hits.Load())
	}
	two, _ := raw(t, at, start+"Sec-GPC: 1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"+start+length)
	if strings.Count(two, "HTTP/1.1 202 ") != 1 || strings.Count(two, "HTTP/1.1 413 ") != 1 {
		t.Errorf("after an objection: %q", two)
	}
}

// DNT reaches the ingester where its value is 1, and nowhere else.
func TestObjection_dnt(t *testing.T) {
	said := make(chan bool, 1)
	at := (&fixture{ingest: func(h *ingest.Hit) (ingest.Verdict, error) {
		said <- h.DNT
		return ingest.Verdict{Kept: 1}, nil
	}}).serve(t)
	for lines, want := range map[string]bool{
		"DNT: 1\r\n": true, "dnt:1\r\n": true, "DNT: \t1\r\n": true,
		"": false, "DNT: 0\r\n": false, "DNT: 10\r\n": false, "DNT: 1x\r\n": false, "DNT: null\r\n": false, "X-Do-Not-Track: 1\r\n": false, "DNTS: 1\r\n": false,
	} {
		for _, target := range targets() {
			if got, _ := raw(t, at, eventRequest(target, lines+"Connection: close\r\n", event)); !strings.HasPrefix(got, "HTTP/1.1 202 ") {
				t.Fatalf("%q: %q", lines, got)
			}
			if got := <-said; got != want {
				t.Errorf("%s with %q: %v", target, lines, got)
			}
		}
	}
}
