//go:build root

package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// interval is the default of journal.interval.
const interval = 100 * time.Millisecond

// program runs one to its end.
func program(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v: %s", name, args, err, out)
	}
	return string(out)
}

// disk makes the image of an empty disk.
func disk(t *testing.T) string {
	t.Helper()
	image := filepath.Join(t.TempDir(), "disk.ext4")
	program(t, "truncate", "-s", "768M", image)
	program(t, "mkfs.ext4", "-q", "-F", image)
	return image
}

// plug has the rig's server started with an image as its data directory, on a machine that was just booted as far as it can see.
func (r *rig) plug(image string) {
	r.t.Helper()
	if err := os.MkdirAll(r.dir, 0o700); err != nil {
		r.t.Fatal(err)
	}
	boot := filepath.Join(r.t.TempDir(), "boot_id")
	if err := os.WriteFile(boot, fmt.Appendf(nil, "%032x\n", rand.Uint64()), 0o600); err != nil {
		r.t.Fatal(err)
	}
	r.mounts(fmt.Sprintf("mount -t ext4 -o loop '%s' '%s' && mount --bind '%s' /proc/sys/kernel/random/boot_id", image, r.dir, boot))
}

// cutPower copies the image of a disk that is mounted and was not told to write anything: what it has is what a disk has after a power cut. The server is
// stopped first, as it would be. Only the kernel may still write; if it does while the image is copied, the copy is made again.
func (r *rig) cutPower(image string) string {
	r.t.Helper()
	r.server.signal(syscall.SIGSTOP)
	device, _, _ := strings.Cut(program(r.t, "losetup", "-j", image), ":")
	written := func() string {
		b, err := os.ReadFile("/sys/block/" + filepath.Base(device) + "/stat")
		if err != nil {
			r.t.Fatal(err)
		}
		return strings.Join(strings.Fields(string(b))[4:9], " ") // writes, their sectors, and those in flight
	}
	after := image + ".cut"
	for range 20 {
		before := written()
		program(r.t, "cp", "--sparse=always", image, after)
		if written() == before {
			r.server.kill()
			return after
		}
	}
	r.t.Fatal("the disk is never quiet")
	return ""
}

// The power is cut under load: what was accepted up to the sync interval before is stored, nothing twice. With journal.sync set to always, everything is.
func TestTorture_powerCut(t *testing.T) {
	t.Parallel()
	for _, sync := range []string{"interval", "always"} {
		t.Run(sync, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, "--journal-sync", sync)
			image := disk(t)
			r.plug(image)
			r.start()
			if code := r.server.stop(); code != 0 { // which unmounts: the tables are not what this is about
				t.Errorf("exit code %d", code)
			}
			for range powerCuts {
				r.plug(image)
				r.start()
				r.loadFor(1500*time.Millisecond, stallRate) // all of it is old when the power is cut, and the first batch is stored
				f := r.load(stallRate)
				time.Sleep(interval + powerSlack)
				image = r.cutPower(image)
				if newest := f.end().Accepted; sync == "interval" {
					r.book.Risk(newest...)
				}
			}
			r.plug(image)
			r.start()
			o := r.settle()
			t.Logf("seed %d: power cut under %d events/s, journal.sync %s, %d times: %v; the lost ones are %.0f ms of load for each cut; at risk is what was accepted within %v before one",
				r.seed, stallRate, sync, powerCuts, o, 1000*float64(o.RiskedLost)/stallRate/powerCuts, interval+powerSlack)
		})
	}
}

// The power is cut right after the very first start: the server starts again, and knows what it has made.
func TestTorture_powerCutAtFirst(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	image := disk(t)
	r.plug(image)
	r.start()
	image = r.cutPower(image)
	r.plug(image)
	r.start()
	r.loadFor(200*time.Millisecond, stallRate)
	o := r.settle()
	t.Logf("seed %d: power cut right after the first start: %v", r.seed, o)
}
