// Package engine runs ClickHouse inside the process: libchdb, loaded without cgo, behind ClickHouse's HTTP interface.
//
// It stands at the far end of the line, below store: clickhouse-go sends its requests to RoundTripper (no socket) or, from another process,
// to ServeHTTP on a loopback port, and cannot tell the difference from a server.
//
// Invariants: a connection of the library serves one request and is closed, so parameters, settings and half-written answers of one request
// never reach another. At most Config.Connections requests run at once, each on its own thread; more wait. When a request's context ends
// its caller is free at once and its query is killed; its place is free when the library has really returned. One INSERT with data is one
// block, so that one insert_deduplication_token stands for all its rows. Memory of the library is copied and freed before an answer is
// given out. One process holds a data directory, and a process holds one directory at a time.
//
// It does not authenticate, compress, keep sessions, take external tables, open files for INTO OUTFILE or FROM INFILE, or speak the native
// protocol. It does not check statements: file() and url() read what the process may read. It logs no statement and no value.
package engine

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/daysalt/daysalt/internal/fault"
)

const (
	// zone is the time zone of the engine's answers; a day of a site is made by the caller, with the site's zone.
	zone = "UTC"
	// minMemory is what the engine needs to start and merge.
	minMemory = 256 << 20
	// closeGrace is how long Close lets running queries end by themselves, and then again how long it waits for killed ones.
	closeGrace = 5 * time.Second
)

// Config says where the engine is and what it may use.
type Config struct {
	Library     string // path of libchdb, as FindLibrary returns it
	DataDir     string // made if missing; held by one process at a time
	MemoryBytes uint64 // cap for the whole engine, default 1 GiB, at least 256 MiB; one query may use three quarters of it
	Threads     int    // threads per query, default the number of processors
	Connections int    // requests that run at once, default 8
}

func (c *Config) setDefaults() error {
	if c.DataDir == "" {
		return fault.Invalidf("data.dir", "must name a directory")
	}
	dir, err := filepath.Abs(c.DataDir)
	if err != nil {
		return fmt.Errorf("cannot find the data directory: %w", err)
	}
	c.DataDir = dir
	if c.MemoryBytes == 0 {
		c.MemoryBytes = 1 << 30
	}
	if c.MemoryBytes < minMemory {
		return fault.Invalidf("engine.memory", "must be at least %d (256 MiB)", minMemory)
	}
	if c.Threads < 0 || c.Connections < 0 {
		return fault.Invalidf("engine.threads", "threads and connections must not be negative")
	}
	if c.Threads == 0 {
		c.Threads = runtime.NumCPU()
	}
	if c.Connections == 0 {
		c.Connections = 8
	}
	return nil
}

// Engine is an open data directory. Its methods are safe for concurrent use.
type Engine struct {
	cfg     Config
	lib     *library
	log     *slog.Logger
	version string // of the engine, such as "26.7.2.1", as clickhouse-go expects it
	prefix  string // of query ids
	serial  atomic.Uint64

	places   chan struct{} // one element per running request
	running  sync.WaitGroup
	refusing chan struct{}      // closed when Close begins
	ending   context.Context    // ends when Close stops being patient; requests watch it beside their own
	end      context.CancelFunc // ends ending

	mu      sync.Mutex // guards closed and the control session
	closed  bool
	control *session // kills queries, and keeps the engine up between requests

	closeOnce sync.Once
	closeErr  error
}

// Open loads the library and opens the data directory. Errors are faults where the operator can do something: a missing or wrong library,
// a directory in use (Conflict), bad sizes. log may be nil.
func Open(cfg Config, log *slog.Logger) (*Engine, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if err := cfg.setDefaults(); err != nil {
		return nil, err
	}
	lib, err := loadLibrary(cfg.Library)
	if err != nil {
		return nil, err
	}
	if err := prepareDirectory(cfg); err != nil {
		return nil, err
	}
	if err := claimProcess(cfg.DataDir); err != nil {
		return nil, err
	}
	e := &Engine{cfg: cfg, lib: lib, log: log, places: make(chan struct{}, cfg.Connections), refusing: make(chan struct{})}
	e.ending, e.end = context.WithCancel(context.Background())
	if err := onLowThread(e.start); err != nil {
		e.end()
		releaseProcess()
		return nil, err
	}
	log.Info("engine open", "version", e.version, "data_dir", cfg.DataDir, "memory_bytes", cfg.MemoryBytes, "threads", cfg.Threads, "connections", cfg.Connections)
	return e, nil
}

// onLowThread runs what starts threads on one of low priority, which they inherit, and which ends with it.
func onLowThread(do func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		stepBack()
		done <- do()
	}()
	return <-done
}

// start connects for the first time, which starts the engine.
func (e *Engine) start() error {
	seed := make([]byte, 8)
	rand.Read(seed)
	e.prefix = hex.EncodeToString(seed) + "-"
	control, err := openSession(e.lib, append(e.sessionArgs(e.nextID()), "--config-file="+configPath(e.cfg.DataDir)))
	if err != nil {
		return fmt.Errorf("cannot open the data directory %s: %w", e.cfg.DataDir, err)
	}
	a, err := control.query("SELECT version()", "TabSeparated", nil)
	if err != nil {
		control.close()
		return fmt.Errorf("cannot ask the engine for its version: %w", err)
	}
	e.version, e.control = strings.TrimSpace(string(a.data)), control
	return nil
}

// sessionArgs are the options of each connection: where the engine is, and the settings that every request starts with.
func (e *Engine) sessionArgs(id string) []string {
	return []string{
		"--path=" + e.cfg.DataDir,
		"--log_comment=" + id,
		"--log_queries=0",
		"--async_insert=0",
		"--implicit_select=0", // as on a server: otherwise a misspelt SELECT is an unknown column
		"--allow_introspection_functions=0",
		"--session_timezone=" + zone,
		"--max_threads=" + strconv.Itoa(e.cfg.Threads),
		"--max_memory_usage=" + strconv.FormatUint(e.cfg.MemoryBytes/4*3, 10),
		// The library collects an answer in memory that max_memory_usage does not count: 900 MB under a limit of 300 MB were seen.
		"--max_result_bytes=" + strconv.FormatUint(e.cfg.MemoryBytes/8, 10),
	}
}

func (e *Engine) nextID() string {
	return e.prefix + strconv.FormatUint(e.serial.Add(1), 36)
}

// command runs a statement on the control session.
func (e *Engine) command(sql string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.control == nil {
		return errClosed
	}
	return e.control.exec(sql)
}

// Close refuses new requests, waits up to 5 s for running ones, kills what is left and waits up to 5 s more, and shuts the engine down. It
// returns an error if the library did not let go of a query; the directory then stays in use. Further calls return the same.
func (e *Engine) Close() error {
	e.closeOnce.Do(func() { e.closeErr = e.close() })
	return e.closeErr
}

func (e *Engine) close() error {
	e.mu.Lock()
	e.closed = true
	e.mu.Unlock()
	close(e.refusing)
	idle := make(chan struct{})
	go func() {
		e.running.Wait()
		close(idle)
	}()
	if !within(idle, closeGrace) {
		e.log.Warn("killing queries to close the engine")
		e.end()
		if !within(idle, closeGrace) {
			return errors.New("cannot close the engine: a query does not end")
		}
	}
	e.end()
	e.mu.Lock()
	defer e.mu.Unlock()
	e.control.close()
	e.control = nil
	releaseProcess()
	e.log.Info("engine closed")
	return nil
}

func within(done <-chan struct{}, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
		return false
	}
}
