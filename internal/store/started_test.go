package store_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/daysalt/daysalt/internal/engine"
	"github.com/daysalt/daysalt/internal/store"
	"github.com/daysalt/daysalt/internal/testkit"
)

// childDirectory makes this test binary another process: a server on the directory that it names.
const childDirectory = "DAYSALT_STORE_TEST_DIRECTORY"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDirectory); dir != "" {
		fmt.Println(serve(dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// serve answers on a port that it prints, until the process is killed.
func serve(dir string) error {
	library, _ := testkit.FindLibrary()
	e, err := engine.Open(engine.Config{Library: library, DataDir: dir}, nil)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	server := &http.Server{Handler: e, ReadHeaderTimeout: time.Minute}
	return server.Serve(l)
}

// server starts a server of its own process and returns a store on it, and how to kill it.
func server(t *testing.T, dir string) (s *store.Store, kill func()) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Env = append(os.Environ(), childDirectory+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	s, err = store.Open(t.Context(), store.Config{DSN: "http://" + strings.TrimSpace(address)})
	if err != nil {
		t.Fatalf("%s: %v", address, err)
	}
	return s, func() {
		_ = s.Close()
		if err := cmd.Process.Kill(); err != nil {
			t.Error(err)
		}
		_ = cmd.Wait()
	}
}

// A server that was killed and started again says a later start under the same name; one that was not says the same.
func TestStarted(t *testing.T) {
	dir := t.TempDir()
	ask := func(s *store.Store) (name string, at int64) {
		t.Helper()
		name, at, err := s.Started(t.Context())
		if now := time.Now().Unix(); err != nil || at < now-60 || at > now+1 || name == "" {
			t.Fatalf("%q, %d at %d, %v", name, at, now, err)
		}
		return name, at
	}
	s, kill := server(t, dir)
	name, first := ask(s)
	time.Sleep(3 * time.Second)
	if again, same := ask(s); again != name || same < first-1 || same > first+1 {
		t.Errorf("%q since %d, and then %q since %d", name, first, again, same)
	}
	kill()
	if _, _, err := s.Started(t.Context()); err == nil {
		t.Error("a killed server says since when it runs")
	}
	s, kill = server(t, dir)
	defer kill()
	if again, later := ask(s); again != name || later < first+2 {
		t.Errorf("%q since %d, and after a restart %q since %d", name, first, again, later)
	}

	embedded := open(t)
	ask(embedded)
}
