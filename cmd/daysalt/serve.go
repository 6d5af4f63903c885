package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/daysalt/daysalt/internal/app"
	"github.com/daysalt/daysalt/internal/fault"
)

func newServe() *cobra.Command {
	return &cobra.Command{
		Use: "serve", Short: "Run the server", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, log, err := load(cmd)
			if err != nil {
				return err
			}
			server, err := app.New(cmd.Context(), cfg, version, log)
			if err != nil {
				return err
			}
			return server.Run(cmd.Context(), func(public net.Addr) {
				base := browseAddress(public)
				fmt.Fprintf(cmd.OutOrStdout(), "\n  daysalt %s\n  dashboard  %s/\n", version, base)
				if cfg.Web.Demo {
					fmt.Fprintf(cmd.OutOrStdout(), "  demo page  %s/demo\n", base)
				}
				fmt.Fprintln(cmd.OutOrStdout())
			})
		},
	}
}

// browseAddress returns where a browser on this machine finds a listener.
func browseAddress(a net.Addr) string {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return "http://" + a.String()
	}
	if tcp.IP.IsUnspecified() {
		return "http://127.0.0.1:" + strconv.Itoa(tcp.Port)
	}
	return "http://" + tcp.String()
}

// newEngine serves the embedded ClickHouse alone, for tests of the remote path and for looking at the data with ClickHouse's own tools.
func newEngine() *cobra.Command {
	return &cobra.Command{
		Use: "engine", Short: "Serve the embedded ClickHouse over HTTP, without access control", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, log, err := load(cmd)
			if err != nil {
				return err
			}
			if err := loopbackOnly(cfg.Engine.Listen); err != nil {
				return err
			}
			e, err := app.OpenEngine(cfg, log)
			if err != nil {
				return err
			}
			var lc net.ListenConfig
			l, err := lc.Listen(cmd.Context(), "tcp", cfg.Engine.Listen)
			if err != nil {
				return errors.Join(fault.Invalidf("engine.listen", "cannot listen: %v", err), e.Close())
			}
			fmt.Fprintln(cmd.OutOrStdout(), "ClickHouse answers at http://"+l.Addr().String())
			return errors.Join(serveUntil(cmd.Context(), l, e), e.Close())
		},
	}
}

// loopbackOnly refuses an address that other machines reach: whoever reaches the engine owns the data.
func loopbackOnly(address string) error {
	host, _, err := net.SplitHostPort(address)
	if ip := net.ParseIP(host); err != nil || host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fault.Invalidf("engine.listen", "is %q, and must be an address of this machine such as 127.0.0.1:8123", address)
	}
	return nil
}

func serveUntil(ctx context.Context, l net.Listener, h http.Handler) error {
	server := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second}
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		stopped <- server.Shutdown(end)
	}()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-stopped
}

func newMigrate() *cobra.Command {
	return &cobra.Command{
		Use: "migrate", Short: "Bring both databases to this version's schema, and stop", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, log, err := load(cmd)
			if err != nil {
				return err
			}
			if err := app.Migrate(cmd.Context(), cfg, log); err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), "both databases are up to date")
			return nil
		},
	}
}
