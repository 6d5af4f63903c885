package app

import (
	"context"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/daysalt/daysalt/internal/config"
	"github.com/daysalt/daysalt/internal/testkit"
)

// A signal may come before the server takes requests. It ends all the same, and a Close that follows has nothing left to do.
func TestRun_stoppedBeforeItBegan(t *testing.T) {
	cfg := config.Default()
	cfg.Data.Dir, cfg.Salt.Storage = t.TempDir(), config.StorageMemory
	cfg.Engine.Library = testkit.Library(t)
	cfg.Web.Listen, cfg.Admin.Listen = "127.0.0.1:0", "127.0.0.1:0"
	server, err := New(t.Context(), cfg, "test", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx, func(net.Addr) {}) }()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("it does not end")
	}
	if err := server.Close(); err != nil {
		t.Error(err)
	}
}
