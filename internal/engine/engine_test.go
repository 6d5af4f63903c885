package engine_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/daysalt/daysalt/internal/engine"
	"github.com/daysalt/daysalt/internal/testkit"
)

// childMode is the variable that makes the test binary play another process: see child_test.go.
const childMode = "DAYSALT_ENGINE_CHILD"

// shared is the engine of this test binary: a process can hold only one.
var shared *engine.Engine

func TestMain(m *testing.M) {
	if mode := os.Getenv(childMode); mode != "" {
		os.Exit(child(mode))
	}
	os.Exit(runTests(m))
}

func runTests(m *testing.M) int {
	library, ok := testkit.FindLibrary()
	if !ok {
		fmt.Fprintln(os.Stderr, "libchdb.so is missing: run make engine")
		return 1
	}
	dir, err := os.MkdirTemp("", "daysalt-engine-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	shared, err = engine.Open(engine.Config{Library: library, DataDir: dir, Threads: 2}, nil)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	if err := shared.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// open returns an unmodified clickhouse-go on the given engine, in the process.
func open(t *testing.T, e *engine.Engine) driver.Conn {
	t.Helper()
	conn, err := clickhouse.Open(&clickhouse.Options{
		Protocol: clickhouse.HTTP, Addr: []string{"engine"}, MaxOpenConns: 16,
		TransportFunc: func(*http.Transport) (http.RoundTripper, error) { return e.RoundTripper(), nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { check(t, conn.Close()) })
	return conn
}

// openOverHTTP returns an unmodified clickhouse-go that goes through a loopback socket.
func openOverHTTP(t *testing.T) driver.Conn {
	t.Helper()
	server := httptest.NewServer(shared)
	t.Cleanup(server.Close)
	conn, err := clickhouse.Open(&clickhouse.Options{
		Protocol: clickhouse.HTTP, Addr: []string{strings.TrimPrefix(server.URL, "http://")}, MaxOpenConns: 16,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { check(t, conn.Close()) })
	return conn
}

// ways returns connections in the process and through a socket: what holds for one must hold for the other.
func ways(t *testing.T) iter.Seq2[string, driver.Conn] {
	t.Helper()
	return func(yield func(string, driver.Conn) bool) {
		_ = yield("process", open(t, shared)) && yield("socket", openOverHTTP(t))
	}
}

// table makes a table with a fresh name and drops it at the end.
func table(t *testing.T, conn driver.Conn, columns string) string {
	t.Helper()
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, t.Name())
	must(t, conn, "CREATE TABLE "+name+" "+columns)
	t.Cleanup(func() { check(t, conn.Exec(context.Background(), "DROP TABLE "+name)) })
	return name
}

func must(t *testing.T, conn driver.Conn, sql string, args ...any) {
	t.Helper()
	if err := conn.Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// number runs a query that answers one UInt64.
func number(t *testing.T, conn driver.Conn, sql string, args ...any) uint64 {
	t.Helper()
	var n uint64
	if err := conn.QueryRow(t.Context(), sql, args...).Scan(&n); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return n
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

// code returns ClickHouse's code of an error, 0 for none and -1 for an error that is no exception.
func code(err error) int32 {
	if err == nil {
		return 0
	}
	var x *clickhouse.Exception
	if !errors.As(err, &x) {
		return -1
	}
	return x.Code
}

func withSettings(ctx context.Context, settings clickhouse.Settings) context.Context {
	return clickhouse.Context(ctx, clickhouse.WithSettings(settings))
}
