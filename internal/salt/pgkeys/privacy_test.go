package pgkeys_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/daysalt/daysalt/internal/testkit"
)

// hold runs a statement in a transaction that stays open until the function returned is called.
func hold(t *testing.T, dsn, statement string) func() {
	t.Helper()
	conn, err := pgx.Connect(within(t), dsn)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{"BEGIN", statement} {
		if _, err := conn.Exec(within(t), s); err != nil {
			t.Fatal(err)
		}
	}
	return func() {
		if err := conn.Close(within(t)); err != nil {
			t.Fatal(err)
		}
	}
}

// secretOf reads the secret of a key's table.
func secretOf(t *testing.T, dsn, table string) []byte {
	t.Helper()
	conn, err := pgx.Connect(within(t), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	var secret []byte
	if err := conn.QueryRow(within(t), "SELECT secret FROM "+pgx.Identifier{table}.Sanitize()).Scan(&secret); err != nil {
		t.Fatal(err)
	}
	if len(secret) != 32 {
		t.Fatalf("%d bytes of secret", len(secret))
	}
	return secret
}

// find returns the files below a directory that hold the bytes, raw or as text.
func find(t *testing.T, dir string, b []byte) []string {
	t.Helper()
	forms := [][]byte{
		b, []byte(hex.EncodeToString(b)), []byte(strings.ToUpper(hex.EncodeToString(b))), []byte(base64.RawStdEncoding.EncodeToString(b)),
		[]byte(base64.RawURLEncoding.EncodeToString(b)),
	}
	var found []string
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		for _, form := range forms {
			if err == nil && bytes.Contains(content, form) {
				found = append(found, path)
				break
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// After a date's end its secret and its key are in no file of the database: not in tables, not in the write-ahead log, not in the statistics,
// not in the log, however much is logged. A control, written and deleted in an ordinary table beside it, is found in tables and write-ahead log.
func TestDrop_leavesNothing(t *testing.T) {
	t.Parallel()
	server := testkit.StartPostgres(t)
	admin(t, server.DSN, "ALTER SYSTEM SET log_statement = 'all'", "ALTER SYSTEM SET log_min_duration_statement = 0", "ALTER SYSTEM SET log_parameter_max_length = -1",
		"ALTER SYSTEM SET log_min_messages = debug1", "SELECT pg_reload_conf()")
	k := open(t, server.DSN)
	key := fetch(t, k, berlin, today)
	secret := secretOf(t, server.DSN, "daysalt_key_2026-11-22_Europe/Berlin")
	control := []byte("0123456789abcdefghijklmnopqrstuv")
	admin(t, server.DSN, "CREATE TABLE control (secret bytea)", "INSERT INTO control VALUES ('\\x"+hex.EncodeToString(control)+"')", "DELETE FROM control")
	// What a night does to a database while the date lasts.
	admin(t, server.DSN, "CHECKPOINT", "ANALYZE", "VACUUM FREEZE", "CHECKPOINT")
	server.Stop(t)
	if len(find(t, server.DataDir, secret)) == 0 {
		t.Error("a clean stop did not write the secret to its table: this test shows nothing")
	}
	for _, path := range append(find(t, server.DataDir, secret), find(t, server.DataDir, key[:])...) {
		if name := filepath.ToSlash(path); !strings.Contains(name, "/base/") {
			t.Errorf("during the day: found in %s", path)
		}
	}
	server.Start(t)
	if fetch(t, k, berlin, today) != key {
		t.Fatal("another key")
	}
	if err := k.Drop(within(t), berlin, today); err != nil {
		t.Fatal(err)
	}
	admin(t, server.DSN, "CHECKPOINT")
	server.Stop(t)

	dir := filepath.Dir(server.DataDir) // the log is there, too
	for _, path := range append(find(t, dir, secret), find(t, dir, key[:])...) {
		t.Errorf("after the day: found in %s", path)
	}
	ahead, logs := false, false
	for _, path := range find(t, dir, control) {
		ahead = ahead || strings.Contains(filepath.ToSlash(path), "/pg_wal/")
		logs = logs || path == server.Log
	}
	if !ahead || !logs {
		t.Errorf("the control is in the write-ahead log: %v, in the server's log: %v; the search shows nothing", ahead, logs)
	}
	logged, err := os.ReadFile(server.Log)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(logged, []byte("gen_random_uuid")) {
		t.Error("our statements are not in the log: it shows nothing")
	}
}
