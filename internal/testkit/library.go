// Package testkit holds what tests of several packages share: where the pinned runtime files are, and an engine to talk to.
//
// It stands beside the line: only tests import it.
//
// Invariants: what is missing fails the test with the command that brings it; nothing is skipped.
//
// It does not replace parts by fakes.
package testkit

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// Library returns the path of the pinned ClickHouse library: bin/libchdb.so, or the installed package below deploy/runtime. It fails the
// test where neither is there.
func Library(tb testing.TB) string {
	tb.Helper()
	path, ok := FindLibrary()
	if !ok {
		tb.Fatal("libchdb.so is missing: run make engine")
	}
	return path
}

// FindLibrary is Library for a TestMain, which has no testing.TB.
func FindLibrary() (string, bool) {
	root, ok := moduleRoot()
	if !ok {
		return "", false
	}
	candidates := []string{filepath.Join(root, "bin", "libchdb.so")}
	found, err := filepath.Glob(filepath.Join(root, "deploy", "runtime", "node_modules", "@chdb", "lib-"+runtime.GOOS+"-*", "libchdb.so"))
	if err == nil {
		candidates = append(candidates, found...)
	}
	for _, path := range candidates {
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			return path, true
		}
	}
	return "", false
}

// Places returns the path of the pinned country database, and fails the test where it is missing.
func Places(tb testing.TB) string {
	tb.Helper()
	root, ok := moduleRoot()
	path := filepath.Join(root, "bin", "dbip-country.mmdb")
	if _, err := os.Stat(path); !ok || err != nil {
		tb.Fatal("the country database is missing: run make engine")
	}
	return path
}

// moduleRoot returns the folder of go.mod at or above the working directory, which is the tested package's.
func moduleRoot() (string, bool) {
	dir, err := os.Getwd()
	if err != nil {
		return "", false
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, true
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", false
		}
		dir = parent
	}
}
