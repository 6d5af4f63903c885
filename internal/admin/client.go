package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"

	"github.com/daysalt/daysalt/internal/fault"
	"github.com/daysalt/daysalt/internal/site"
)

// Client gives commands to a server.
type Client struct {
	http *http.Client
}

// Dial returns a client of the server behind a socket. It fails with Unavailable where no server answers there.
func Dial(ctx context.Context, socket string) (*Client, error) {
	var d net.Dialer
	probe, err := d.DialContext(ctx, "unix", socket)
	if err != nil {
		return nil, fault.Unavailablef(err, "no server answers on the socket")
	}
	if err := probe.Close(); err != nil {
		return nil, fmt.Errorf("cannot close the probe: %w", err)
	}
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return d.DialContext(ctx, "unix", socket)
	}}
	return &Client{http: &http.Client{Transport: transport}}, nil
}

// Local returns a client of a handler in this process.
func Local(h http.Handler) *Client {
	return &Client{http: &http.Client{Transport: local{h}}}
}

// local is a transport that calls a handler.
type local struct{ handler http.Handler }

// RoundTrip calls the handler and returns what it wrote.
func (l local) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil {
		r.Body = http.NoBody
	}
	w := &written{header: http.Header{}, status: http.StatusOK}
	l.handler.ServeHTTP(w, r)
	return &http.Response{
		Status: http.StatusText(w.status), StatusCode: w.status, Header: w.header, Body: io.NopCloser(&w.body), Request: r,
	}, nil
}

// written keeps what a handler answers.
type written struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *written) Header() http.Header         { return w.header }
func (w *written) WriteHeader(status int)      { w.status = status }
func (w *written) Write(p []byte) (int, error) { return w.body.Write(p) }

// Sites lists the sites by domain.
func (c *Client) Sites(ctx context.Context) ([]SiteInfo, error) {
	var infos []SiteInfo
	err := c.call(ctx, http.MethodGet, "/sites", nil, &infos)
	return infos, err
}

// AddSite makes a site.
func (c *Client) AddSite(ctx context.Context, in AddSite) (SiteInfo, error) {
	var info SiteInfo
	err := c.call(ctx, http.MethodPost, "/sites", in, &info)
	return info, err
}

// SetSite changes a site.
func (c *Client) SetSite(ctx context.Context, domain string, change site.Change) (SiteInfo, error) {
	var info SiteInfo
	err := c.call(ctx, http.MethodPatch, "/sites?domain="+url.QueryEscape(domain), change, &info)
	return info, err
}

// RemoveSite forgets a site and deletes its events.
func (c *Client) RemoveSite(ctx context.Context, domain string) (SiteInfo, error) {
	var info SiteInfo
	err := c.call(ctx, http.MethodDelete, "/sites?domain="+url.QueryEscape(domain), nil, &info)
	return info, err
}

// TryRedaction returns what the site's redaction makes of a text in a field.
func (c *Client) TryRedaction(ctx context.Context, domain string, in Try) (Try, error) {
	var out Try
	err := c.call(ctx, http.MethodPost, "/sites/try?domain="+url.QueryEscape(domain), in, &out)
	return out, err
}

func (c *Client) call(ctx context.Context, method, path string, in, out any) error {
	var body bytes.Buffer
	if in != nil {
		if err := json.NewEncoder(&body).Encode(in); err != nil {
			return fmt.Errorf("cannot write the command: %w", err)
		}
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://daysalt"+path, &body)
	if err != nil {
		return fmt.Errorf("cannot write the command: %w", err)
	}
	answer, err := c.http.Do(r)
	if err != nil {
		return fault.Unavailablef(err, "the server does not answer")
	}
	defer answer.Body.Close()
	if answer.StatusCode >= http.StatusBadRequest {
		var p problem
		if err := json.NewDecoder(answer.Body).Decode(&p); err != nil {
			return fmt.Errorf("cannot read the server's answer (%s): %w", answer.Status, err)
		}
		return &fault.Error{Kind: p.Kind, Field: p.Field, Message: p.Message}
	}
	if err := json.NewDecoder(answer.Body).Decode(out); err != nil {
		return fmt.Errorf("cannot read the server's answer: %w", err)
	}
	return nil
}
