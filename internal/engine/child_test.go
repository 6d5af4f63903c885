package engine_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/daysalt/daysalt/internal/engine"
	"github.com/daysalt/daysalt/internal/fault"
	"github.com/daysalt/daysalt/internal/testkit"
)

const childRows = 1000 // of one batch

// child plays another process: the arguments are the directory and what the mode wants. It returns the exit code.
func child(mode string) int {
	library, _ := testkit.FindLibrary()
	dir := os.Args[1]
	e, err := engine.Open(engine.Config{Library: library, DataDir: dir}, nil)
	if err != nil {
		fmt.Println("error", fault.KindOf(err) == fault.Conflict, err)
		return 1
	}
	conn, err := clickhouse.Open(&clickhouse.Options{
		Protocol: clickhouse.HTTP, Addr: []string{"engine"},
		TransportFunc: func(*http.Transport) (http.RoundTripper, error) { return e.RoundTripper(), nil },
	})
	if err == nil {
		err = map[string]func(*engine.Engine, driver.Conn, []string) error{
			"insert": childInsert, "count": childCount, "hold": childHold, "reopen": childReopen, "close": childClose,
		}[mode](e, conn, os.Args[1:])
	}
	if err != nil {
		fmt.Println("error", err)
		return 1
	}
	if err := e.Close(); err != nil {
		fmt.Println("error", err)
		return 1
	}
	return 0
}

// childInsert sends batches from the given number on and reports each one that is acknowledged, until it is killed.
func childInsert(_ *engine.Engine, conn driver.Conn, args []string) error {
	ctx := context.Background()
	if err := conn.Exec(ctx, "CREATE TABLE IF NOT EXISTS kept "+deduplicating); err != nil {
		return err
	}
	from, err := strconv.ParseUint(args[1], 10, 64)
	if err != nil {
		return err
	}
	for i := from; ; i++ {
		if err := send(ctx, conn, "kept", fmt.Sprint("batch ", i), i*childRows, (i+1)*childRows); err != nil {
			return err
		}
		fmt.Println("stored", i)
	}
}

// childCount reports how many rows there are, how many different ones, and how many of some batches.
func childCount(_ *engine.Engine, conn driver.Conn, args []string) error {
	var all, distinct, of uint64
	query := fmt.Sprintf("SELECT count(), uniqExact(a), countIf(intDiv(a, %d) IN (%s)) FROM kept", childRows, args[1])
	if err := conn.QueryRow(context.Background(), query).Scan(&all, &distinct, &of); err != nil {
		return err
	}
	fmt.Println(all, distinct, of)
	return nil
}

// childHold keeps the directory until its input ends.
func childHold(*engine.Engine, driver.Conn, []string) error {
	fmt.Println("holding")
	_, err := bufio.NewReader(os.Stdin).ReadByte()
	if err != nil && err.Error() != "EOF" {
		return err
	}
	return nil
}

// childReopen checks what one process may do with directories, one after the other.
func childReopen(e *engine.Engine, conn driver.Conn, args []string) error {
	ctx := context.Background()
	library, _ := testkit.FindLibrary()
	if err := conn.Exec(ctx, "CREATE TABLE t ENGINE = MergeTree ORDER BY a AS SELECT 7 AS a"); err != nil {
		return err
	}
	other := args[0] + "-other"
	for _, dir := range []string{args[0], other} {
		if _, err := engine.Open(engine.Config{Library: library, DataDir: dir}, nil); fault.KindOf(err) != fault.Conflict || !strings.Contains(err.Error(), args[0]) {
			return fmt.Errorf("opening %s beside it: want a conflict that names the open directory, got %w", dir, err)
		}
	}
	if err := errors.Join(e.Close(), e.Close()); err != nil {
		return err
	}
	if err := conn.Exec(ctx, "SELECT 1"); fault.KindOf(err) != fault.Unavailable {
		return fmt.Errorf("a query after Close: want a fault, got %w", err)
	}
	w := httptest.NewRecorder()
	e.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodPost, local, strings.NewReader("SELECT 1")))
	if w.Code != http.StatusServiceUnavailable {
		return fmt.Errorf("a request after Close: status %d", w.Code)
	}
	for _, dir := range []string{other, args[0]} {
		again, err := engine.Open(engine.Config{Library: library, DataDir: dir}, nil)
		if err != nil {
			return err
		}
		w := httptest.NewRecorder()
		again.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodPost, local, strings.NewReader("SELECT count() FROM system.tables WHERE name = 't'")))
		if want := map[bool]string{true: "1\n", false: "0\n"}[dir == args[0]]; w.Body.String() != want {
			return fmt.Errorf("%s after it was opened again: %q, want %q", dir, w.Body, want)
		}
		if err := again.Close(); err != nil {
			return err
		}
	}
	return nil
}

// childClose closes while a query runs that would never end.
func childClose(e *engine.Engine, conn driver.Conn, _ []string) error {
	failed := make(chan error, 1)
	go func() { failed <- conn.Exec(context.Background(), endless) }()
	time.Sleep(300 * time.Millisecond)
	start := time.Now()
	if err := e.Close(); err != nil {
		return err
	}
	fmt.Println("closed", time.Since(start) < 8*time.Second, fault.KindOf(<-failed) == fault.Unavailable)
	return nil
}

// start runs this test binary as another process. Its stderr must stay empty: neither the library nor we write there.
func start(t *testing.T, mode string, args ...string) (cmd *exec.Cmd, stderr *bytes.Buffer) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	stderr = &bytes.Buffer{}
	cmd = exec.CommandContext(t.Context(), exe, args...)
	cmd.Env = append(os.Environ(), childMode+"="+mode)
	cmd.Stderr = stderr
	return cmd, stderr
}

// finish runs a child to its end and returns what it wrote.
func finish(t *testing.T, mode string, args ...string) (stdout string, ok bool) {
	t.Helper()
	cmd, stderr := start(t, mode, args...)
	out, err := cmd.Output()
	if stderr.Len() > 0 {
		t.Errorf("%s wrote to stderr: %s", mode, stderr)
	}
	return string(out), err == nil
}

// The batch under way at the kill is not sent again: the engine writes a token down before the rows are there, so the same one would be taken for known
// although its rows are lost. That was seen once in some hundred kills; ship looks for the rows instead.
func TestKill_acknowledgedRowsStay(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	var acknowledged []string
	next := uint64(0)
	for round := range 5 {
		cmd, stderr := start(t, "insert", dir, strconv.FormatUint(next, 10))
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		timer := time.AfterFunc(10*time.Second, func() { _ = cmd.Process.Kill() })
		stored := func() {
			if lines.Text() != fmt.Sprint("stored ", next) {
				t.Fatalf("round %d: the child said %q", round, lines.Text())
			}
			acknowledged = append(acknowledged, strconv.FormatUint(next, 10))
			next++
		}
		for want := next + 10; next < want && lines.Scan(); {
			stored()
		}
		timer.Stop()
		time.Sleep(time.Duration(round*3) * time.Millisecond) // hit other places of an insert
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for lines.Scan() { // acknowledged between the last look and the kill
			stored()
		}
		next++
		if err := cmd.Wait(); err == nil {
			t.Errorf("round %d: the child ended by itself", round)
		}
		if stderr.Len() > 0 {
			t.Errorf("round %d wrote to stderr: %s", round, stderr)
		}
		var all, distinct, kept uint64
		answer, ok := finish(t, "count", dir, strings.Join(acknowledged, ","))
		if _, err := fmt.Sscan(answer, &all, &distinct, &kept); err != nil || !ok {
			t.Fatalf("round %d: %s", round, answer)
		}
		most := kept + uint64(round+1)*childRows // and what was under way
		if kept != uint64(len(acknowledged))*childRows || distinct != all || all > most || all%childRows != 0 {
			t.Fatalf("round %d: %d batches acknowledged; %d rows there, %d of them acknowledged, %d distinct", round, len(acknowledged), all, kept, distinct)
		}
	}
}

func TestOpen_directoryInUse(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	cmd, _ := start(t, "hold", dir)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "holding\n" {
		t.Fatalf("%q %v", line, err)
	}
	answer, ok := finish(t, "count", dir, "0")
	if want := "error true data.dir: data directory " + dir + " is in use by another process\n"; ok || answer != want {
		t.Errorf("got %q, want %q", answer, want)
	}
	in.Close()
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	if answer, ok := finish(t, "reopen", dir); !ok {
		t.Errorf("after the other process has closed it: %s", answer)
	}
}

// The library gives no connection and says why on its own stderr; using what it returned would end the process.
func TestOpen_refusedByTheLibrary(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "metadata"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "metadata", "broken.sql"), []byte("not a statement"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd, _ := start(t, "hold", dir)
	out, err := cmd.Output()
	if want := "error false cannot open the data directory " + dir + ": the library refused a connection"; err == nil || !strings.HasPrefix(string(out), want) {
		t.Errorf("%q (%v), want %q", out, err, want)
	}
}

func TestOpen_oneDirectoryAtATime(t *testing.T) {
	t.Parallel()
	if answer, ok := finish(t, "reopen", filepath.Join(t.TempDir(), "data")); !ok {
		t.Error(answer)
	}
}

func TestClose_killsWhatRuns(t *testing.T) {
	t.Parallel()
	answer, ok := finish(t, "close", filepath.Join(t.TempDir(), "data"))
	if !ok || answer != "closed true true\n" {
		t.Error(answer)
	}
}

func TestOpen_wrongLibrary(t *testing.T) {
	dir := t.TempDir()
	garbage := filepath.Join(dir, "libchdb.so")
	if err := os.WriteFile(garbage, []byte("no library"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := func(name, library, want string) {
		t.Helper()
		data := filepath.Join(dir, "data")
		_, err := engine.Open(engine.Config{Library: library, DataDir: data}, nil)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "run make engine, or set DAYSALT_CLICKHOUSE_DSN") {
			t.Errorf("%s: got %v, want %q", name, err, want)
		}
		if _, err := os.Stat(data); err == nil {
			t.Errorf("%s: the data directory was made", name)
		}
	}
	f("none", filepath.Join(dir, "none.so"), "there is no file")
	f("no library", garbage, "cannot be loaded")
	f("another library", anotherLibrary(t), "lacks chdb_")
	if _, err := engine.FindLibrary(filepath.Join(dir, "none.so")); fault.KindOf(err) != fault.NotFound {
		t.Errorf("FindLibrary of what is not there: %v", err)
	}
	if path, err := engine.FindLibrary(garbage); err != nil || path != garbage {
		t.Errorf("FindLibrary of what is there: %s, %v", path, err)
	}
	if _, err := engine.FindLibrary(""); err == nil || !strings.Contains(err.Error(), "run make engine") {
		t.Errorf("FindLibrary beside a test binary: %v", err)
	}
}

// anotherLibrary returns a library that this process has loaded and that is not ClickHouse's.
func anotherLibrary(t *testing.T) string {
	t.Helper()
	if path := "/usr/lib/libSystem.B.dylib"; exists(path) {
		return path
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(maps)) {
		if at := strings.IndexByte(line, '/'); at >= 0 && strings.Contains(line, "/libc.so") {
			return strings.TrimSpace(line[at:])
		}
	}
	t.Fatal("this process has no libc loaded")
	return ""
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func TestOpen_badConfig(t *testing.T) {
	library := testkit.Library(t)
	f := func(cfg engine.Config, wantField string) {
		t.Helper()
		cfg.Library = library
		_, err := engine.Open(cfg, nil)
		if x, ok := errors.AsType[*fault.Error](err); !ok || x.Kind != fault.Invalid || x.Field != wantField {
			t.Errorf("%+v: got %v, want a fault of %s", cfg, err, wantField)
		}
	}
	f(engine.Config{}, "data.dir")
	f(engine.Config{DataDir: t.TempDir(), MemoryBytes: 1}, "engine.memory")
	f(engine.Config{DataDir: t.TempDir(), Threads: -1}, "engine.threads")
	f(engine.Config{DataDir: t.TempDir(), Connections: -1}, "engine.threads")
}
