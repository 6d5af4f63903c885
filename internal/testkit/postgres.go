package testkit

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Postgres starts an empty PostgreSQL server and returns how to connect to it, as its superuser, and its data directory. The server is
// gone at the end of the test.
func Postgres(tb testing.TB) (dsn, dataDir string) {
	tb.Helper()
	s := StartPostgres(tb)
	return s.DSN, s.DataDir
}

// PostgresServer is a PostgreSQL server that a test may stop, kill and start again.
type PostgresServer struct {
	DSN     string // of the superuser, with a password, over TCP on the loopback interface
	DataDir string
	Log     string // the file that all of its messages go to
	Port    int

	postgres string // the program
	as       *syscall.SysProcAttr
	input    io.Closer  // the server stops when it is closed, so also when this process dies
	ended    chan error // gets the server's end; nil when none was started
}

// postgresStart is how long the server may take to start; it takes a fraction of a second on an idle machine.
const postgresStart = 30 * time.Second

// postgresPassword is the superuser's. It has what breaks connection strings that are put together carelessly.
const postgresPassword = "p'a%s s@w/or:d" //nolint:gosec // of servers that live as long as a test

// StartPostgres starts an empty server. Its transactions are not made to survive a power cut.
func StartPostgres(tb testing.TB) *PostgresServer {
	tb.Helper()
	initdb, postgres := postgresPrograms(tb)
	dir, err := os.MkdirTemp("", "daysalt-postgres-") //nolint:usetesting // only this user can enter tb.TempDir, and the server may have to run as another
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = os.RemoveAll(dir) })
	s := &PostgresServer{DataDir: filepath.Join(dir, "data"), Log: filepath.Join(dir, "log"), postgres: postgres, as: postgresUser(tb, dir)}

	password := filepath.Join(dir, "password")
	if err := os.WriteFile(password, []byte(postgresPassword), 0o644); err != nil { //nolint:gosec // the server's user reads it
		tb.Fatal(err)
	}
	create := exec.CommandContext(tb.Context(), initdb, //nolint:gosec // the program in PATH
		"--pgdata="+s.DataDir, "--username=daysalt", "--pwfile="+password, "--auth=scram-sha-256", "--no-locale", "--encoding=UTF8", "--no-sync")
	create.Dir, create.SysProcAttr, create.Env = dir, s.as, []string{"PATH=" + os.Getenv("PATH")}
	if out, err := create.CombinedOutput(); err != nil {
		tb.Fatalf("cannot make a PostgreSQL data directory: %v\n%s", err, out)
	}
	const tries = 3 // another process may take the port that was free
	for i := 1; ; i++ {
		s.Port = freePort(tb)
		err := s.start()
		if err == nil {
			break
		}
		if i == tries {
			tb.Fatal(err)
		}
	}
	s.DSN = s.User("daysalt", postgresPassword)
	tb.Cleanup(func() { s.Stop(tb) })
	return s
}

// User returns how to connect as a user, without TLS.
func (s *PostgresServer) User(name, password string) string {
	dsn := url.URL{Scheme: "postgres", User: url.UserPassword(name, password), Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Port)), Path: "postgres", RawQuery: "sslmode=disable"}
	return dsn.String()
}

// Start starts the server again after Stop or Kill.
func (s *PostgresServer) Start(tb testing.TB) {
	tb.Helper()
	if err := s.start(); err != nil {
		tb.Fatal(err)
	}
}

// Stop ends the server's connections and lets it write everything it has to its files. It does nothing if the server does not run.
func (s *PostgresServer) Stop(tb testing.TB) {
	tb.Helper()
	if s.ended == nil {
		return
	}
	s.input.Close()
	if err := <-s.ended; err != nil {
		tb.Errorf("PostgreSQL did not stop cleanly: %v\n%s", err, s.messages())
	}
	s.ended = nil
}

// Kill ends the server as a crash does.
func (s *PostgresServer) Kill(tb testing.TB) {
	tb.Helper()
	pid, _, ok := s.state()
	if !ok {
		tb.Fatal("the PostgreSQL server does not run")
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		tb.Fatal(err)
	}
	if err := <-s.ended; err == nil {
		tb.Error("PostgreSQL stopped cleanly in spite of a kill")
	}
	s.ended = nil
}

// start runs the server until it answers. One that was killed leaves others behind for a moment, who keep its memory: then it tries again.
func (s *PostgresServer) start() error {
	deadline := time.Now().Add(postgresStart)
	for {
		before := len(s.messages())
		err := s.tryStart(deadline)
		if err == nil {
			return nil
		}
		if messages := s.messages(); time.Now().After(deadline) || !strings.Contains(messages[min(before, len(messages)):], "pre-existing shared memory") {
			return fmt.Errorf("cannot start PostgreSQL: %w\n%s", err, messages)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func (s *PostgresServer) tryStart(deadline time.Time) error {
	log, err := os.OpenFile(s.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	// The shell ends with the server, and ends it when its own input does: started by this process alone, the server would outlive a test that
	// panics. It asks more than once, because a server that has just begun ignores it.
	const script = `exec 3<&0; "$@" & server=$!
		{ read -r line; while kill -INT $server; do sleep 0.1; done; } <&3 2>/dev/null & wait $server`
	command := exec.CommandContext(context.Background(), "/bin/sh", "-c", script, "sh", s.postgres, "-D", s.DataDir, //nolint:gosec // a program of the operator's
		"-p", strconv.Itoa(s.Port), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off", "-c", "logging_collector=off", "-c", "shared_buffers=16MB")
	command.Dir, command.SysProcAttr, command.Env = filepath.Dir(s.DataDir), s.as, []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C"}
	command.Stdout, command.Stderr = log, log
	if s.input, err = command.StdinPipe(); err != nil {
		return err
	}
	if err := command.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	s.ended = ended
	go func() { ended <- command.Wait() }()
	for {
		// The file may still be that of a server that was killed.
		if pid, ready, ok := s.state(); ok && ready && syscall.Kill(pid, 0) == nil {
			return nil
		}
		select {
		case err := <-s.ended:
			s.ended = nil
			return fmt.Errorf("it ended with %w", err)
		case <-time.After(5 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			s.input.Close()
			err := <-s.ended
			s.ended = nil
			return fmt.Errorf("it did not get ready in time, and was stopped: %w", cmp.Or(err, context.DeadlineExceeded))
		}
	}
}

// state reads what the server writes about itself: its process, and on the eighth line whether it is ready.
func (s *PostgresServer) state() (pid int, ready, ok bool) {
	text, err := os.ReadFile(filepath.Join(s.DataDir, "postmaster.pid"))
	if err != nil {
		return 0, false, false
	}
	lines := bytes.Split(text, []byte("\n"))
	pid, err = strconv.Atoi(string(lines[0]))
	return pid, len(lines) >= 8 && string(bytes.TrimSpace(lines[7])) == "ready", err == nil
}

func (s *PostgresServer) messages() string {
	text, err := os.ReadFile(s.Log)
	if err != nil {
		return ""
	}
	return string(text)
}

// postgresPrograms finds initdb and postgres of one version: in PATH, else the newest that Debian's package installed.
func postgresPrograms(tb testing.TB) (initdb, postgres string) {
	tb.Helper()
	initdb, err := exec.LookPath("initdb")
	if err == nil {
		if postgres, err = exec.LookPath("postgres"); err == nil {
			return initdb, postgres
		}
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if err != nil || len(found) == 0 {
		tb.Fatal("initdb and postgres are missing: run deploy/install-postgresql")
	}
	version := func(path string) int {
		n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path)))) // 0 for what is no number, so it comes last
		return n
	}
	postgres = slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) })
	return filepath.Join(filepath.Dir(postgres), "initdb"), postgres
}

// postgresUser gives dir to the user that the server has to run as, because it refuses to run as root. For others, that is who they are.
func postgresUser(tb testing.TB, dir string) *syscall.SysProcAttr {
	tb.Helper()
	if os.Getuid() != 0 {
		return nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		u, err = user.Lookup("nobody")
	}
	if err != nil {
		tb.Fatal("PostgreSQL does not run as root, and there is neither a user postgres nor nobody")
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		tb.Fatal(err)
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		tb.Fatal(err)
	}
	if err := os.Chown(dir, int(uid), int(gid)); err != nil {
		tb.Fatal(err)
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
}

func freePort(tb testing.TB) int {
	tb.Helper()
	var config net.ListenConfig
	l, err := config.Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}
