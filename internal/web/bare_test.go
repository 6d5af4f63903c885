package web_test

import (
	"context"
	"net"
	"testing"

	"github.com/daysalt/daysalt/internal/web"
)

func TestServeBare(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- web.ServeBare(ctx, l) }()
	if got := call(t, l.Addr().String(), "POST", "/api/event", "{}"); got.status != 202 || got.body != "ok" {
		t.Errorf("%+v", got)
	}
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
}
