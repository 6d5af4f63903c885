package engine

import (
	"bytes"
	"context"
	"io"
	"net/http"
)

// RoundTripper returns a transport that answers requests from this engine, in the process and without a socket. The host of the URL does
// not matter. It honours the request's context: when it ends, RoundTrip returns at once and the query is killed.
func (e *Engine) RoundTripper() http.RoundTripper { return transport{e} }

type transport struct{ engine *Engine }

// RoundTrip answers one request. It returns an error only when the context has ended or the engine is closed.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		// Closing twice is allowed; the early one ends a read that waits for a body which no longer comes.
		stop := context.AfterFunc(r.Context(), func() { r.Body.Close() })
		defer stop()
		defer r.Body.Close()
	}
	rep, err := t.engine.handle(r)
	if err != nil {
		return nil, err
	}
	return &http.Response{
		Status: http.StatusText(rep.status), StatusCode: rep.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: rep.header, Body: io.NopCloser(bytes.NewReader(rep.body)), ContentLength: int64(len(rep.body)), Request: r,
	}, nil
}
