package engine

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// forbidden says why ServeHTTP does not answer r; "" where it does.
func forbidden(r *http.Request) string {
	if r.Header.Get("Origin") != "" {
		return "not for web pages"
	}
	for _, site := range r.Header.Values("Sec-Fetch-Site") {
		if site != "none" { // What somebody typed into the address bar.
			return "not for web pages"
		}
	}
	if !isLoopbackName(r.Host) {
		return "not for this host: use 127.0.0.1 or localhost"
	}
	return ""
}

// isLoopbackName says whether a Host header, with or without a port, names this machine whatever a name server says.
func isLoopbackName(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"))
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.IsLoopback()
	}
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// readOnly returns r with a URL that asks for readonly 1 where it did, and for readonly 2 otherwise. There are other ways to write 0, such as 00 and +0.
func readOnly(r *http.Request) *http.Request {
	values := r.URL.Query()
	level := "2"
	if all := values["readonly"]; len(all) > 0 && all[len(all)-1] == "1" {
		level = "1"
	}
	values.Set("readonly", level)
	clone := *r
	target := *r.URL
	target.RawQuery = values.Encode()
	clone.URL = &target
	return &clone
}
