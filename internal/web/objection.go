package web

import (
	"bytes"
	"errors"
	"time"

	"github.com/valyala/fasthttp"
)

// optOutCookie is the one cookie there is, as it comes in a Cookie header. The opt-out page sets it; the value is everybody's.
const optOutCookie = "daysalt_optout=1"

// hasOptOut says whether a Cookie header has the opt-out cookie among its pairs, with exactly that name and value.
func hasOptOut(cookies []byte) bool {
	for more := true; more; {
		var pair []byte
		pair, cookies, more = bytes.Cut(cookies, []byte(";"))
		if string(bytes.Trim(pair, " \t\r")) == optOutCookie {
			return true
		}
	}
	return false
}

// isOne says whether a header's value is 1; HTTP allows tabs around it.
func isOne(value []byte) bool { return string(bytes.Trim(value, " \t")) == "1" }

// objects says whether the request is an objection to every site: by Global Privacy Control or by the cookie.
func (h *head) objects() bool { return h.optedOut || isOne(h.gpc) }

// headerRead is called by fasthttp between a request's headers and its body. An objection must get its answer however long the body is, but once
// fasthttp finds a body too long it has forgotten the headers, and nothing but the connection remembers: a read timeout makes fasthttp call its
// SetReadDeadline, and is asked for nowhere else.
func headerRead(header *fasthttp.RequestHeader) (config fasthttp.RequestConfig) {
	if n := header.ContentLength(); n >= 0 && n <= maxBody {
		return config
	}
	path, _, _ := bytes.Cut(withoutOrigin(header.RequestURI()), []byte("?"))
	if !header.IsPost() || string(bytes.TrimSuffix(path, []byte("/"))) != eventPath {
		return config
	}
	var h head
	if h.read(header, ""); h.objects() && !h.ambiguous() {
		config.ReadTimeout = time.Second
	}
	return config
}

// withoutOrigin returns what stands behind the scheme and host that a request line may name.
func withoutOrigin(target []byte) []byte {
	if _, rest, absolute := bytes.Cut(target, []byte("://")); absolute && target[0] != '/' {
		return rest[max(0, bytes.IndexByte(rest, '/')):]
	}
	return target
}

// unread answers requests that fasthttp could not read. What comes with an objection is accepted, as every event is that comes with one; only that
// the connection ends cannot be helped, since the rest of the body is still to come.
func unread(otherwise func(*fasthttp.RequestCtx, error)) func(*fasthttp.RequestCtx, error) {
	return func(ctx *fasthttp.RequestCtx, err error) {
		c := connOf(ctx)
		if !c.objects || !errors.Is(err, fasthttp.ErrBodyTooLarge) {
			otherwise(ctx, err)
			return
		}
		ctx.Response.Header.SetCanonical(headerOrigin, anyOrigin)
		accept(&ctx.Response)
		c.answers(systemTime())
	}
}
