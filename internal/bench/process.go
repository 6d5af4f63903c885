package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"
)

// How long a process may take to say that it is ready, and to end when it is asked to.
const (
	readyWithin = time.Minute
	stopWithin  = time.Minute
)

// process is a child of this one. It ends when its input does, and so when this process dies, however that happens.
type process struct {
	name  string
	cmd   *exec.Cmd
	input io.Closer
	out   text
	log   text
	ended chan struct{}
}

// text keeps the last of what a process writes.
type text struct {
	mu    sync.Mutex
	bytes []byte
}

// maxText is how much of it is kept, in bytes.
const maxText = 64 << 10

// Write takes everything.
func (t *text) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.bytes = append(t.bytes, p...)
	if over := len(t.bytes) - maxText; over > 0 {
		t.bytes = append(t.bytes[:0], t.bytes[over:]...)
	}
	return len(p), nil
}

func (t *text) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.bytes)
}

// start runs a command of the same program. It has the settings of its flags alone, and is in a group of its own: a ctrl-C is for this process, which
// then ends its children in order. Where this process dies while a child is stopped, the system wakes and ends the orphaned group.
func (b *Bench) start(dir string, args ...string) (*process, error) {
	p := &process{name: args[0], ended: make(chan struct{})}
	p.cmd = exec.Command(b.cfg.Executable, append([]string{"bench", "child"}, args...)...) //nolint:noctx,gosec // this program itself; stop ends it
	for _, pair := range os.Environ() {
		if !strings.HasPrefix(pair, "DAYSALT_") {
			p.cmd.Env = append(p.cmd.Env, pair)
		}
	}
	p.cmd.Dir = dir
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.log
	var err error
	if p.input, err = p.cmd.StdinPipe(); err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		return nil, fmt.Errorf("cannot start %s: %w", p.name, err)
	}
	go func() {
		_ = p.cmd.Wait() // its state says how it ended
		close(p.ended)
	}()
	return p, nil
}

// await returns the first group of a pattern in what the process printed.
func (p *process) await(ctx context.Context, pattern string) (string, error) {
	re := regexp.MustCompile(pattern)
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	for {
		if found := re.FindStringSubmatch(p.out.String()); found != nil {
			return found[1], nil
		}
		select {
		case <-p.ended:
			return "", p.fault("ended before it was ready")
		case <-ctx.Done():
			return "", errors.Join(p.fault("was not ready in time"), ctx.Err())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// fault says what is wrong with a process, with the end of what it wrote.
func (p *process) fault(what string) error {
	lines := bytes.Split([]byte(strings.TrimSpace(p.log.String())), []byte("\n"))
	return fmt.Errorf("%s %s: %s", p.name, what, bytes.Join(lines[max(0, len(lines)-5):], []byte("; ")))
}

func (p *process) signal(s syscall.Signal) error {
	if err := p.cmd.Process.Signal(s); err != nil {
		return fmt.Errorf("cannot signal %s: %w", p.name, err)
	}
	return nil
}

// stop asks the process to end, and waits until it has.
func (p *process) stop() error {
	if err := p.signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-p.ended:
	case <-time.After(stopWithin):
		p.kill()
		return p.fault("did not end in time, and was killed")
	}
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		return p.fault(fmt.Sprintf("ended with exit code %d", code))
	}
	return nil
}

// kill ends the process, unless it has ended, and waits until it is gone. It also ends one that is stopped.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended already
	<-p.ended
	p.input.Close()
}
