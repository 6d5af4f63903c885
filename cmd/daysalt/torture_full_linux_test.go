package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// startPrepared is start in a mount namespace of its own, in which a shell command runs before. What it mounts goes with the process. Who is not root gets
// a user namespace too.
func startPrepared(t *testing.T, prepare string, args ...string) *process {
	t.Helper()
	namespaces := "-m"
	if os.Geteuid() != 0 {
		namespaces = "-Urm"
	}
	p := &process{t: t, ended: make(chan struct{})}
	p.cmd = exec.Command("unshare", append([]string{namespaces, "sh", "-c", prepare + ` && exec "$0" "$@"`, os.Args[0]}, args...)...)
	for _, pair := range os.Environ() {
		if !strings.HasPrefix(pair, "DAYSALT_") {
			p.cmd.Env = append(p.cmd.Env, pair)
		}
	}
	p.cmd.Env = append(p.cmd.Env, asDaysalt+"=1")
	p.cmd.Dir = t.TempDir()
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.log
	var err error
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait() // the state says how it ended
		close(p.ended)
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.ended
		if t.Failed() {
			text := p.log.String()
			t.Logf("%s wrote:\n%s%s", args[0], &p.out, text[max(0, len(text)-4000):])
		}
	})
	return p
}

// mounts has the rig's processes started behind a shell command that mounts something.
func (r *rig) mounts(prepare string) {
	r.spawn = func(args ...string) *process { return startPrepared(r.t, prepare, args...) }
}

// canMount says whether this user may make a mount namespace.
func canMount() bool {
	namespaces := "-m"
	if os.Geteuid() != 0 {
		namespaces = "-Urm"
	}
	return exec.Command("unshare", namespaces, "mount", "-t", "tmpfs", "none", "/mnt").Run() == nil
}

// The journal's file system is full: 12 MiB of memory, of which segments take 2 MiB each.
func TestTorture_diskFull(t *testing.T) {
	t.Parallel()
	r := newRig(t, "--journal-quota", "16MiB", "--journal-min-free", "1MiB").withDatabase()
	how := "a file system of 12 MiB"
	if canMount() {
		r.mounts(fmt.Sprintf("mkdir -p -m 700 '%[1]s/journal' && mount -t tmpfs -o size=12m,mode=700 none '%[1]s/journal'", r.dir))
	} else { // The same answer for another reason: the disk of the test is as good as full.
		var disk syscall.Statfs_t
		if err := syscall.Statfs(t.TempDir(), &disk); err != nil {
			t.Fatal(err)
		}
		how = "a watermark 12 MiB below what is free"
		r.more = append(r.more, "--journal-min-free", fmt.Sprintf("%dMiB", int64(disk.Bavail)*disk.Bsize>>20-12))
	}
	fill(t, r, how)
}
