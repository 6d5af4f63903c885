//go:build linux

package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/daysalt/daysalt/internal/testkit"
)

// openTerminal makes a terminal: screen is the side of the person, who reads and types there, keyboard that of the program.
func openTerminal(t *testing.T) (screen, keyboard *os.File) {
	t.Helper()
	screen, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = screen.Close() })
	control, err := screen.SyscallConn() // Fd would make reading block a thread, and Close wait for it
	if err != nil {
		t.Fatal(err)
	}
	var name string
	var failed error
	err = control.Control(func(fd uintptr) {
		if failed = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0); failed != nil {
			return
		}
		var number int
		number, failed = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
		name = fmt.Sprint("/dev/pts/", number)
	})
	if err != nil || failed != nil {
		t.Fatal(err, failed)
	}
	keyboard, err = os.OpenFile(name, os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return screen, keyboard
}

// startOnTerminal runs a command line as a person does who sits at a terminal. What it prints and logs comes together, in out.
func startOnTerminal(t *testing.T, args ...string) (p *process, screen *os.File) {
	t.Helper()
	screen, keyboard := openTerminal(t)
	defer keyboard.Close() // the process has its own
	p = &process{t: t, cmd: exec.Command(os.Args[0], args...), ended: make(chan struct{})}
	for _, pair := range os.Environ() {
		if !strings.HasPrefix(pair, "DAYSALT_") {
			p.cmd.Env = append(p.cmd.Env, pair)
		}
	}
	p.cmd.Env = append(p.cmd.Env, asDaysalt+"=1", "TERM=xterm-256color")
	p.cmd.Dir = t.TempDir()
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = keyboard, keyboard, keyboard
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true} // so that ^C is a signal, and so is the end of this test
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	read := make(chan struct{})
	go func() {
		_, _ = io.Copy(&p.out, screen) // until nobody has the other side open
		close(read)
	}()
	go func() {
		_ = p.cmd.Wait()
		<-read
		close(p.ended)
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.ended
	})
	return p, screen
}

// ownLine is what daysalt itself prints: what it is and where, and its log.
var ownLine = regexp.MustCompile(`^(|  daysalt \d+\.\d+\.\d+|  (dashboard|demo page)  http://127\.0\.0\.1:\d+/(demo)?|time=\S+ level=(DEBUG|INFO|WARN) msg=.+)$`)

// On a terminal the database's library used to log by itself, pieces of questions included, and to complain of threads it had not made.
func TestTerminal(t *testing.T) {
	t.Parallel()
	p, screen := startOnTerminal(t, "serve", "--data-dir", t.TempDir(), "--engine-library", testkit.Library(t), "--web-listen", "127.0.0.1:0", "--admin-listen=", "--web-demo")
	p.base = p.await(`dashboard  (http://\S+)/\r?\n`)
	for _, path := range []string{"/one", "/two", "/three"} {
		p.post(demo, path)
	}
	if got := p.settled(demo); len(got) != 3 {
		t.Errorf("stored: %v", got)
	}
	if got := p.do("POST", "/api/v2/query", `{"site_id":"demo.localhost","metrics":["visitors"],"date_range":"long ago"}`, "Content-Type", "application/json"); got.status != 400 {
		t.Errorf("a wrong question: %+v", got)
	}
	if _, err := screen.Write([]byte{'C' & 0x1f}); err != nil {
		t.Fatal(err)
	}
	if code := p.wait(); code != 0 {
		t.Errorf("after ^C it ended with %d", code)
	}
	text := strings.ReplaceAll(p.out.String(), "\r\n", "\n")
	// The terminal shows ^C wherever the program's line is just then.
	text = strings.Replace(text, "^C", "", 1)
	for line := range strings.SplitSeq(text, "\n") {
		if !ownLine.MatchString(line) {
			t.Errorf("it printed %q", line)
		}
	}
	if !strings.Contains(text, `msg="engine open"`) || !strings.Contains(text, `msg="engine closed"`) {
		t.Errorf("the terminal does not show the log: %q", text)
	}
}
