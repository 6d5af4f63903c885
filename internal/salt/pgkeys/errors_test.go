package pgkeys_test

import (
	"context"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/daysalt/daysalt/internal/event"
	"github.com/daysalt/daysalt/internal/salt/pgkeys"
	"github.com/daysalt/daysalt/internal/testkit"
)

// shows fails when an error does not say what it has to, or gives away what it must not.
func shows(t *testing.T, err error, want string, secrets ...string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q", err, want)
		return
	}
	for _, secret := range secrets {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("%q shows %q", err, secret)
		}
	}
}

func TestOpen_badString(t *testing.T) {
	t.Parallel()
	f := func(dsn string) {
		t.Helper()
		_, err := pgkeys.Open(t.Context(), dsn)
		shows(t, err, "connection string", "hunter2", "keyhost")
	}
	f("postgres://salt:hunter2@keyhost:port/x")
	f("postgres://salt:hunter2@keyhost/x?sslmode=perhaps")
	f("password=hunter2 host")
	f("postgres://salt:hunter2@keyhost/x?pool_max_conns=hunter2")
	f("host=keyhost sslpassword=hunter2 sslmode=hunter2")
}

func TestFetch_noConnection(t *testing.T) {
	t.Parallel()
	server := testkit.StartPostgres(t)
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := closed.Addr().String()
	_ = closed.Close()
	silent, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and never answers
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })

	at, err := url.Parse(server.DSN)
	if err != nil {
		t.Fatal(err)
	}
	f := func(dsn, want string, secrets ...string) {
		t.Helper()
		k := open(t, dsn)
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		began := time.Now()
		var key [16]byte
		shows(t, k.Ping(ctx), want, secrets...)
		shows(t, k.Fetch(ctx, berlin, today, &key), want, secrets...)
		shows(t, k.Drop(ctx, berlin, today), want, secrets...)
		shows(t, k.Tidy(ctx, func(string, event.Day) bool { return true }), want, secrets...)
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("it took %v", took)
		}
	}
	f(server.User("daysalt", "hunter2"), "does not accept user and password", "hunter2", at.Host)
	f(server.User("hunter2", "hunter2"), "does not accept user and password", "hunter2", at.Host)
	f(strings.Replace(server.DSN, "/postgres?", "/hunter2?", 1), "no such database", "hunter2", at.Host)
	f(strings.Replace(server.DSN, "sslmode=disable", "sslmode=require", 1), "connect to PostgreSQL", at.Host)
	f("postgres://salt:hunter2@"+nobody+"/x?sslmode=disable", "connection refused", "hunter2", nobody)
	f("postgres://salt:hunter2@"+silent.Addr().String()+"/x?sslmode=disable", "does not answer", "hunter2", silent.Addr().String())
	f("postgres://salt:hun@ter2@keyhost.invalid/x", "cannot be resolved", "hun", "ter2", "keyhost") // an @ that had to be written as %40
}

func TestDrop_lockHeld(t *testing.T) {
	t.Parallel()
	dsn, _ := testkit.Postgres(t)
	k := open(t, dsn)
	fetch(t, k, berlin, today)
	release := hold(t, dsn, `LOCK TABLE "daysalt_key_2026-11-22_Europe/Berlin" IN ACCESS SHARE MODE`) // as pg_dump does
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	shows(t, k.Drop(ctx, berlin, today), "does not answer: context deadline exceeded")
	release()
	if err := k.Drop(within(t), berlin, today); err != nil {
		t.Error(err)
	}
}

func TestFetch_lockHeldWhileReading(t *testing.T) {
	t.Parallel()
	dsn, _ := testkit.Postgres(t)
	k := open(t, dsn)
	want := fetch(t, k, berlin, today)
	release := hold(t, dsn, `LOCK TABLE "daysalt_key_2026-11-22_Europe/Berlin" IN ACCESS EXCLUSIVE MODE`)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	var key [16]byte
	shows(t, k.Fetch(ctx, berlin, today, &key), "does not answer: context deadline exceeded")
	release()
	if fetch(t, k, berlin, today) != want {
		t.Error("another key after a call that was given up")
	}
}

func TestFetch_withoutRights(t *testing.T) {
	t.Parallel()
	server := testkit.StartPostgres(t)
	admin(t, server.DSN, "CREATE ROLE guest LOGIN PASSWORD 'hunter2'", "CREATE SCHEMA empty", "REVOKE CREATE ON SCHEMA public FROM PUBLIC")
	guest := open(t, server.User("guest", "hunter2"))
	var key [16]byte
	shows(t, guest.Fetch(within(t), berlin, today, &key), `no CREATE right in schema "public"`, "hunter2")
	shows(t, guest.Drop(within(t), berlin, today), `no CREATE right in schema "public"`, "hunter2")

	nowhere := open(t, server.User("guest", "hunter2")+"&search_path=nowhere")
	shows(t, nowhere.Fetch(within(t), berlin, today, &key), "search_path", "hunter2")

	fetch(t, open(t, server.DSN), berlin, today)
	shows(t, guest.Fetch(within(t), berlin, today, &key), "same role", "hunter2")

	admin(t, server.DSN, "GRANT CREATE, USAGE ON SCHEMA empty TO guest")
	own := open(t, server.User("guest", "hunter2")+"&search_path=empty")
	fetch(t, own, berlin, today)
	if err := own.Drop(within(t), berlin, today); err != nil {
		t.Error(err)
	}
}
