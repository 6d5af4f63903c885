package engine_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// endless never ends by itself; the mark makes it findable.
const endless = "SELECT count() FROM numbers(1000000000000) WHERE sipHash64(number) = 1"

// runningLike counts running queries with a mark in their text, without this one.
func runningLike(t *testing.T, conn driver.Conn, mark string) uint64 {
	t.Helper()
	return number(t, conn, "SELECT count() FROM system.processes WHERE position(query, concat('/*', {m:String}, '*/')) > 0", clickhouse.Named("m", mark))
}

// eventually waits up to five seconds for a condition.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for start := time.Now(); !condition(); time.Sleep(10 * time.Millisecond) {
		if time.Since(start) > 5*time.Second {
			t.Fatalf("after five seconds still not: %s", what)
		}
	}
}

func TestCancel_freesTheCallerAndKillsTheQuery(t *testing.T) {
	for way, conn := range ways(t) {
		t.Run(way, func(t *testing.T) {
			f := func(mark, sql string) {
				t.Helper()
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				failed := make(chan error, 1)
				go func() { failed <- conn.Exec(ctx, "/*"+mark+"*/ "+sql) }()
				eventually(t, "the query "+mark+" runs", func() bool { return runningLike(t, conn, mark) == 1 })
				cancel()
				start := time.Now()
				select {
				case err := <-failed:
					if !errors.Is(err, context.Canceled) {
						t.Errorf("%s: want the context's error, got %v", mark, err)
					}
				case <-time.After(time.Second):
					t.Fatalf("%s: the caller still waits after a second", mark)
				}
				eventually(t, "the query "+mark+" is gone", func() bool { return runningLike(t, conn, mark) == 0 })
				t.Logf("%s gone after %v", mark, time.Since(start))
			}
			name := table(t, conn, "(a UInt64) ENGINE = MergeTree ORDER BY a")
			f("count", endless)
			f("insert", "INSERT INTO "+name+" SELECT number FROM numbers(1000000000000)")
			f("sort", "SELECT number FROM numbers(1000000000000) ORDER BY sipHash64(number) LIMIT 1")
		})
	}
}

// A body that stops in the middle, and a caller that leaves: the insert is killed and nothing of it is stored.
func TestCancel_insertThatWaitsForData(t *testing.T) {
	server := httptest.NewServer(shared)
	defer server.Close()
	conn := open(t, shared)
	for way, client := range map[string]*http.Client{"process": {Transport: shared.RoundTripper()}, "socket": server.Client()} {
		t.Run(way, func(t *testing.T) {
			name := table(t, conn, deduplicating)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			body, data := io.Pipe()
			defer func() { check(t, data.Close()) }()
			statement := "INSERT INTO " + name + " FORMAT TSV"
			r, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL+"/?query="+url.QueryEscape(statement), body)
			if err != nil {
				t.Fatal(err)
			}
			failed := make(chan error, 1)
			go func() {
				answer, err := client.Do(r)
				if err == nil {
					err = answer.Body.Close()
				}
				failed <- err
			}()
			if _, err := io.WriteString(data, strings.Repeat("1\tx\n", 200_000)); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the insert runs", func() bool { return inserting(t, conn, name) == 1 })
			cancel()
			if way == "socket" { // Go's client waits for its own reading of the body, whatever the server does.
				data.CloseWithError(context.Canceled)
			}
			select {
			case err := <-failed:
				if !errors.Is(err, context.Canceled) {
					t.Errorf("want the context's error, got %v", err)
				}
			case <-time.After(time.Second):
				t.Fatal("the caller still waits after a second")
			}
			eventually(t, "the insert is gone", func() bool { return inserting(t, conn, name) == 0 })
			if n := number(t, conn, "SELECT count() FROM "+name); n != 0 {
				t.Errorf("%d rows of a cancelled insert are stored", n)
			}
		})
	}
}

// inserting counts the running INSERTs into a table.
func inserting(t *testing.T, conn driver.Conn, name string) uint64 {
	t.Helper()
	return number(t, conn, "SELECT count() FROM system.processes WHERE query_kind = 'Insert' AND position(query, {n:String}) > 0", clickhouse.Named("n", name))
}

func TestCancel_deadline(t *testing.T) {
	conn := open(t, shared)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	start := time.Now()
	if err := conn.Exec(ctx, "/*deadline*/ "+endless); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("want the deadline, got %v", err)
	}
	if took := time.Since(start); took > time.Second {
		t.Errorf("the caller waited %v", took)
	}
	eventually(t, "the query is gone", func() bool { return runningLike(t, conn, "deadline") == 0 })
}

// All places are taken: who waits for one can leave, and when they are free again everybody is served.
func TestCancel_waitingForAPlace(t *testing.T) {
	conn := open(t, shared)
	if err := conn.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	busy, stop := context.WithCancel(t.Context())
	defer stop()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if err := open(t, shared).Exec(busy, "/*busy*/ SELECT sleepEachRow(0.1) FROM numbers(1000) SETTINGS max_block_size = 1"); !errors.Is(err, context.Canceled) {
				t.Errorf("want the context's error, got %v", err)
			}
		})
	}
	blocked := func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		return errors.Is(conn.Exec(ctx, "SELECT 1"), context.DeadlineExceeded)
	}
	eventually(t, "all places are taken", blocked)
	stop()
	wg.Wait()
	eventually(t, "a query is answered again", func() bool { return conn.Ping(t.Context()) == nil })
	if n := runningLike(t, conn, "busy"); n > 8 {
		t.Errorf("%d queries run", n)
	}
}

func TestCancel_beforeItStarts(t *testing.T) {
	conn := open(t, shared)
	if err := conn.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i := range 50 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i*50)*time.Microsecond)
		if err := conn.Exec(ctx, "/*early*/ "+endless); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("want the deadline, got %v", err)
		}
		cancel()
	}
	eventually(t, "no query is left", func() bool { return runningLike(t, conn, "early") == 0 })
}

func TestMemory_caps(t *testing.T) {
	conn := open(t, shared)
	const greedy = "SELECT count() FROM (SELECT number, groupArray(number) FROM numbers(30000000) GROUP BY number)"
	f := func(name, sql string, settings clickhouse.Settings, want int32) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			if err := conn.Exec(withSettings(t.Context(), settings), sql); code(err) != want {
				t.Errorf("want code %d, got %v", want, err)
			}
			if n := number(t, conn, "SELECT count() FROM numbers(10)"); n != 10 {
				t.Errorf("the engine answered %d afterwards", n)
			}
		})
	}
	f("of the query", greedy, clickhouse.Settings{"max_memory_usage": 50_000_000}, 241)
	f("of every query", greedy, clickhouse.Settings{"max_bytes_before_external_group_by": 0, "max_bytes_ratio_before_external_group_by": 0}, 241)
	f("of the engine", greedy, clickhouse.Settings{"max_memory_usage": 0, "max_bytes_before_external_group_by": 0, "max_bytes_ratio_before_external_group_by": 0}, 241)
	f("of an answer", "SELECT number FROM numbers(1000000000)", nil, 396)
}

// The settings that this package gives the engine are the ones that it has.
func TestSettings_reachTheEngine(t *testing.T) {
	conn := open(t, shared)
	for name, want := range map[string]string{
		"max_threads": "2", "max_memory_usage": "805306368", "max_result_bytes": "134217728", "log_queries": "0", "async_insert": "0", "session_timezone": "UTC",
		"implicit_select": "0", "allow_introspection_functions": "0",
	} {
		var got string
		if err := conn.QueryRow(t.Context(), "SELECT value FROM system.settings WHERE name = {n:String}", clickhouse.Named("n", name)).Scan(&got); err != nil || got != want {
			t.Errorf("setting %s = %q (%v), want %q", name, got, err, want)
		}
	}
	for name, want := range map[string]string{
		"max_server_memory_usage": "1073741824", "mark_cache_size": "67108864", "primary_index_cache_size": "67108864", "index_mark_cache_size": "16777216",
		"query_condition_cache_size": "8388608", "vector_similarity_index_cache_size": "8388608", "text_index_postings_cache_size": "8388608",
	} {
		var got string
		if err := conn.QueryRow(t.Context(), "SELECT value FROM system.server_settings WHERE name = {n:String}", clickhouse.Named("n", name)).Scan(&got); err != nil || got != want {
			t.Errorf("server setting %s = %q (%v), want %q", name, got, err, want)
		}
	}
	if n := number(t, conn, "SELECT count() FROM system.tables WHERE database = 'system' AND match(name, '_log(_[0-9]+)?$')"); n != 0 {
		t.Errorf("%d log tables", n)
	}
	if n := number(t, conn, "SELECT countIf(name LIKE '%cache_size' AND toUInt64OrZero(value) > 100000000) FROM system.server_settings"); n != 0 {
		t.Errorf("%d caches may grow beyond 100 MB", n)
	}
}

// Mutations and merges work with the background pools as they are.
func TestSettings_mutationsRun(t *testing.T) {
	conn := open(t, shared)
	name := table(t, conn, "(a UInt64, b UInt64) ENGINE = MergeTree ORDER BY a")
	must(t, conn, "INSERT INTO "+name+" SELECT number, 0 FROM numbers(10)")
	must(t, conn, "ALTER TABLE "+name+" UPDATE b = 1 WHERE a < 5 SETTINGS mutations_sync = 1")
	if n := number(t, conn, "SELECT sum(b) FROM "+name); n != 5 {
		t.Errorf("sum %d, want 5", n)
	}
}
