package bench

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/daysalt/daysalt/internal/admin"
	"github.com/daysalt/daysalt/internal/app"
)

// target is what is measured: a server, or the bare one.
type target struct {
	base    string // where it takes events
	process *process
	data    string   // the server's data directory
	metrics string   // address of the server's metrics; "" of the bare one
	engine  *process // the server's database, where it is a process of its own
}

// bare starts the server that does nothing.
func (b *Bench) bare(ctx context.Context, dir string) (*target, error) {
	p, err := b.start(dir, "bench", "baseline", "--listen", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	t := &target{process: p}
	if t.base, err = p.await(ctx, `answers at (http://\S+)\n`); err != nil {
		t.kill()
		return nil, err
	}
	return t, nil
}

// server starts one on a directory, with sites. Where apart is true its database is a process of its own.
func (b *Bench) server(ctx context.Context, dir string, sites []string, apart bool) (*target, error) {
	t := &target{data: dir}
	if err := b.startServer(ctx, t, dir, apart); err != nil {
		t.kill()
		return nil, err
	}
	client, err := admin.Dial(ctx, filepath.Join(t.data, app.SocketName))
	for i := 0; err == nil && i < len(sites); i++ {
		_, err = client.AddSite(ctx, admin.AddSite{Domain: sites[i], Timezone: "UTC"})
	}
	if err != nil {
		t.kill()
		return nil, fmt.Errorf("cannot add the sites: %w", err)
	}
	return t, nil
}

func (b *Bench) startServer(ctx context.Context, t *target, dir string, apart bool) error {
	operators, err := freeAddress(ctx)
	if err != nil {
		return err
	}
	args := append([]string{
		"serve", "--data-dir", dir, "--web-listen", "127.0.0.1:0", "--admin-listen", operators,
		"--web-trusted-proxies", "127.0.0.1/32", "--salt-storage", "memory", "--log-level", "warn",
	}, b.cfg.Flags...)
	if apart {
		listen, err := freeAddress(ctx)
		if err != nil {
			return err
		}
		if t.engine, err = b.start(dir, append([]string{"engine", "--data-dir", dir, "--engine-listen", listen, "--log-level", "warn"}, b.cfg.Flags...)...); err != nil {
			return err
		}
		where, err := t.engine.await(ctx, `ClickHouse answers at (\S+)\n`)
		if err != nil {
			return err
		}
		t.data = filepath.Join(dir, "server") // a process has its data directory for itself
		args = append(args, "--data-dir", t.data, "--clickhouse-dsn", where)
	}
	if t.process, err = b.start(dir, args...); err != nil {
		return err
	}
	t.metrics = "http://" + operators + "/metrics"
	t.base, err = t.process.await(ctx, `dashboard  (http://\S+)/\n`)
	return err
}

// freeAddress returns one of this machine that nobody listens on.
func freeAddress(ctx context.Context) (string, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("cannot find a free port: %w", err)
	}
	return l.Addr().String(), l.Close()
}

// stop ends the target in order; then its files are nobody's.
func (t *target) stop() error {
	if err := t.process.stop(); err != nil {
		return err
	}
	if t.engine != nil {
		return t.engine.stop()
	}
	return nil
}

// kill ends whatever of the target still runs.
func (t *target) kill() {
	for _, p := range []*process{t.process, t.engine} {
		if p != nil {
			p.kill()
		}
	}
}

// pause stops the database where it is, or lets it go on.
func (t *target) pause(on bool) error {
	if on {
		return t.engine.signal(syscall.SIGSTOP)
	}
	return t.engine.signal(syscall.SIGCONT)
}

// values are a server's metrics without labels, by name.
type values map[string]float64

// Names of the metrics that are looked at.
const (
	kept       = "daysalt_ingest_kept_total"
	rows       = "daysalt_ship_rows_total"
	lagSeconds = "daysalt_ship_lag_seconds"
)

// read asks a server for its metrics.
func (t *target) read(ctx context.Context) (values, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, t.metrics, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("cannot read the metrics: %w", err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, fmt.Errorf("cannot read the metrics: %w", err)
	}
	defer answer.Body.Close()
	v := values{}
	for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
		name, text, _ := strings.Cut(lines.Text(), " ")
		if n, err := strconv.ParseFloat(text, 64); err == nil {
			v[name] = n
		}
	}
	for _, name := range []string{kept, rows, lagSeconds} {
		if _, ok := v[name]; !ok {
			return nil, fmt.Errorf("cannot read the metrics: there is no %s", name)
		}
	}
	return v, nil
}

// stall is how long no event may be stored before a server is taken to store no more.
const stall = 20 * time.Second

// drained waits until the server has stored everything that it kept, or stores no more; whether anything is missing, the database tells.
func (b *Bench) drained(ctx context.Context, t *target) error {
	last, since := -1.0, b.cfg.Now()
	for {
		v, err := t.read(ctx)
		if err != nil {
			return err
		}
		if v[rows] >= v[kept] {
			return nil
		}
		if v[rows] != last {
			last, since = v[rows], b.cfg.Now()
		} else if b.cfg.Now().Sub(since) > stall {
			b.say("nothing was stored for %v: %.0f of %.0f events are", stall, v[rows], v[kept])
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(30 * time.Millisecond):
		}
	}
}
