package engine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"github.com/daysalt/daysalt/internal/fault"
)

// process mirrors what the library keeps for the whole process: one engine on one directory. A second Engine would share it unasked, or be
// refused with a message on stderr only. This is the one package variable that changes, because the state is the library's and is global.
var process struct {
	sync.Mutex
	dir string // "" when no engine is open
}

func claimProcess(dir string) error {
	process.Lock()
	defer process.Unlock()
	if process.dir != "" {
		return fault.Conflictf("data.dir", "this process has an engine open on %s already, and can hold only one", process.dir)
	}
	if err := checkUnlocked(dir); err != nil {
		return err
	}
	process.dir = dir
	return nil
}

func releaseProcess() {
	process.Lock()
	defer process.Unlock()
	process.dir = ""
}

// checkUnlocked says whether another process has the directory open. The engine locks its file "status" and would otherwise report that on
// stderr only; the lock itself is taken by the engine.
func checkUnlocked(dir string) error {
	file, err := os.OpenFile(filepath.Join(dir, "status"), os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot open the data directory: %w", err)
	}
	defer file.Close() // gives the lock back
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return fault.Conflictf("data.dir", "data directory %s is in use by another process", dir)
	}
	if err != nil {
		return fmt.Errorf("cannot lock the data directory: %w", err)
	}
	return nil
}

func configPath(dir string) string { return filepath.Join(dir, "engine.xml") }

// prepareDirectory makes the data directory and writes the engine's settings into it. They must be a file: command-line options do not
// reach all of them, and without --config-file the library reads a config.xml from the working directory or the home directory.
func prepareDirectory(cfg Config) error {
	if err := os.MkdirAll(cfg.DataDir, 0o700); err != nil {
		return fmt.Errorf("cannot make the data directory: %w", err)
	}
	path := configPath(cfg.DataDir)
	if err := os.WriteFile(path, []byte(serverConfig(cfg)), 0o600); err != nil {
		return fmt.Errorf("cannot write the engine's settings: %w", err)
	}
	return nil
}

// serverConfig returns the settings of the engine as a whole. Caches get small shares of the memory: by default each of them may grow to
// gigabytes. There are no system log tables, since none is configured.
func serverConfig(cfg Config) string {
	m := cfg.MemoryBytes
	settings := []struct {
		name  string
		value uint64
	}{
		{"max_server_memory_usage", m},
		{"mark_cache_size", m / 16},
		{"index_mark_cache_size", m / 64},
		{"primary_index_cache_size", m / 16},
		{"uncompressed_cache_size", 0},
		{"index_uncompressed_cache_size", 0},
		{"query_condition_cache_size", m / 128},
		{"vector_similarity_index_cache_size", m / 128},
		{"text_index_tokens_cache_size", m / 128},
		{"text_index_header_cache_size", m / 128},
		{"text_index_postings_cache_size", m / 128},
		{"iceberg_metadata_files_cache_size", m / 128},
		{"parquet_metadata_cache_size", m / 128},
		{"compiled_expression_cache_size", m / 32},
	}
	var b strings.Builder
	b.WriteString("<!-- Written by daysalt at every start; changes are lost. -->\n<clickhouse>\n")
	for _, s := range settings {
		fmt.Fprintf(&b, "  <%s>%d</%s>\n", s.name, s.value, s.name)
	}
	// On a terminal the library would log there by itself, values of questions included.
	b.WriteString("  <logger><level>none</level><console>false</console></logger>\n</clickhouse>\n")
	return b.String()
}
