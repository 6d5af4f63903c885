//go:build testclock

package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dchest/siphash" //nolint:depguard // the test makes the numbers again, as somebody who has the key could
)

// hook asks the admin socket for what only tests may.
func (p *process) hook(dataDir, path, body string) {
	p.t.Helper()
	socket := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(dataDir, "admin.sock"))
	}}}
	defer socket.CloseIdleConnections()
	if got, err := call(socket, "PUT", "http://daysalt"+path, body); err != nil || got.status != 200 {
		p.t.Fatalf("%s: %+v, %v", path, got, err)
	}
}

// setClock moves the server's wall clock to a moment, and its time since boot on.
func (p *process) setClock(dataDir string, wall time.Time, boot time.Duration) {
	p.t.Helper()
	p.hook(dataDir, "/clock", fmt.Sprintf(`{"wall":%q,"boot":%d}`, wall.Format(time.RFC3339Nano), boot))
}

// runtimeDir returns a directory in memory, where keys may be.
func runtimeDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "daysalt-test-") //nolint:usetesting // the temporary folder may be on a disk
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// tomorrow returns an hour of the day after today, so that clocks are set forward and the database keeps what is stored.
func tomorrow(hour, minute int) time.Time {
	y, m, d := time.Now().UTC().Date()
	return time.Date(y, m, d+1, hour, minute, 0, 0, time.UTC)
}

// numberOf is the visitor number of somebody on a site under a key, as internal/salt makes it.
func numberOf(key []byte, site uint32, from netip.Addr, agent string) uint64 {
	b := binary.LittleEndian.AppendUint32(nil, site)
	b = append(b, byte(len(from.AsSlice())))
	b = append(b, from.AsSlice()...)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(agent)))
	b = append(b, agent...)
	return siphash.Hash(binary.LittleEndian.Uint64(key), binary.LittleEndian.Uint64(key[8:]), b)
}

// findKey looks for the key in a runtime directory: the 16 bytes that make a number which is in the journal. It stands for whoever reads key and
// rows while the day lasts.
func findKey(t *testing.T, runtime, journal string, site uint32, from netip.Addr, agent string) []byte {
	t.Helper()
	rows := readFiles(t, journal)
	held := readFiles(t, runtime)
	for at := 0; at+16 <= len(held); at += 4 {
		key := held[at : at+16]
		if bytes.Count(key, []byte{0}) > 8 {
			continue
		}
		if bytes.Contains(rows, binary.LittleEndian.AppendUint64(nil, numberOf(key, site, from, agent))) {
			return slices.Clone(key)
		}
	}
	return nil
}

func readFiles(t *testing.T, dir string) []byte {
	t.Helper()
	var all []byte
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if info, err := os.Stat(file); err != nil || !info.Mode().IsRegular() {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, text...)
	}
	return all
}

// row is what the tests read of an event.
type row struct {
	Site    uint32 `json:"site_id"`
	Day     string `json:"day"`
	Visitor uint64 `json:"visitor,string"`
	Start   string `json:"visit_start"`
	Path    string `json:"path"`
	Entry   string `json:"entry_page"`
}

// rows returns the stored events by path. The server must have stopped.
func rowsOf(t *testing.T, dataDir string) map[string]row {
	t.Helper()
	e := startEngine(t, dataDir, freeAddress(t))
	defer e.stop()
	text := e.sql("SELECT site_id, day, visitor, visit_start, path, entry_page FROM daysalt.events FORMAT JSONEachRow SETTINGS output_format_json_quote_64bit_integers = 1")
	all := map[string]row{}
	for line := range strings.Lines(text) {
		var one row
		if err := json.Unmarshal([]byte(line), &one); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		all[one.Path] = one
	}
	return all
}

// A key lives in memory alone, and from the site's midnight nowhere. Whoever comes on both sides of it is two people whom nothing links.
func TestClock_midnight(t *testing.T) {
	t.Parallel()
	dir, runtime := t.TempDir(), runtimeDir(t)
	siteCommand(t, dir, "add", "other.example")
	p := serve(t, dir, "--web-demo", "--log-level", "debug", "--salt-runtime-dir", runtime)
	p.setClock(dir, tomorrow(23, 58), 0)
	p.post(demo, "/late")
	p.post("other.example", "/late-elsewhere")
	load := startTraffic(p.base, demo, 0)
	load.reach(t, 200)
	load.end()

	// other.example was made first and has the id 1.
	key := findKey(t, runtime, filepath.Join(dir, "journal"), 1, netip.MustParseAddr("127.0.0.1"), chrome)
	if key == nil {
		t.Fatal("the key is not in the runtime directory, so the search would not find it anywhere")
	}
	secrets := needles{}
	secrets.add("key", key)
	secrets.add("first half of the key", key[:8])
	secrets.add("second half of the key", key[8:])
	secrets.add("first half of the key as a number", fmt.Append(nil, binary.LittleEndian.Uint64(key)))
	secrets.add("second half of the key as a number", fmt.Append(nil, binary.LittleEndian.Uint64(key[8:])))
	if names, size := secrets.inMemory(t, p.cmd.Process.Pid); !slices.Contains(names, "key") {
		t.Fatalf("the search does not find a key in use in %d bytes: %v", size, names)
	}
	backup := t.TempDir() // made by day, as a nightly backup is
	if err := os.CopyFS(backup, os.DirFS(dir)); err != nil && !strings.Contains(err.Error(), "admin.sock") {
		t.Fatal(err)
	}

	p.setClock(dir, tomorrow(24, 0).Add(5*time.Second), 0)
	p.post(demo, "/early")
	p.post("other.example", "/early-elsewhere")
	p.setClock(dir, tomorrow(24, 0).Add(20*time.Second), 11*time.Second)
	for deadline := time.Now().Add(10 * time.Second); bytes.Contains(readFiles(t, runtime), key); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the key is still in the runtime directory")
		}
	}
	names, size := secrets.inMemory(t, p.cmd.Process.Pid)
	t.Logf("searched %d MB of memory", size>>20)
	if len(names) > 0 {
		t.Errorf("the memory of the process holds %v", names)
	}
	if secrets.inFiles(t, "/early", dir, runtime, backup) == 0 {
		t.Error("the search does not find what is there")
	}
	if code := p.stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	secrets.inFiles(t, "", dir, runtime)
	secrets.in(t, "the log", []byte(p.log.String()+p.out.String()))

	rows := rowsOf(t, dir)
	late, early, elsewhere, earlyElsewhere := rows["/late"], rows["/early"], rows["/late-elsewhere"], rows["/early-elsewhere"]
	numbers := []uint64{late.Visitor, early.Visitor, elsewhere.Visitor, earlyElsewhere.Visitor}
	slices.Sort(numbers)
	if numbers[0] == 0 || len(slices.Compact(numbers)) != 4 {
		t.Errorf("four unrelated numbers are %v", numbers)
	}
	if late.Visitor != rows["/0/0/0"].Visitor || late.Start != rows["/0/0/0"].Start {
		t.Error("one visitor of one day is two")
	}
	if early.Day <= late.Day || early.Start == late.Start || early.Entry != "/early" {
		t.Errorf("the visit across midnight is one: %+v, %+v", late, early)
	}
}

// Numbers stay the same over a restart and a kill within the day; what the wall clock does changes only when they are made anew.
func TestClock_rules(t *testing.T) {
	t.Parallel()
	dir, runtime := t.TempDir(), runtimeDir(t)
	args := []string{"--web-demo", "--salt-runtime-dir", runtime}
	p := serve(t, dir, args...)
	noon := tomorrow(12, 0)
	step := func(path string, at time.Time, boot time.Duration) {
		p.setClock(dir, at, boot)
		p.post(demo, path)
	}
	step("/noon", noon, 0)
	if code := p.stop(); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	p = serve(t, dir, args...)
	step("/restarted", noon.Add(time.Minute), 0)
	p.kill()
	p = serve(t, dir, args...)
	step("/killed", noon.Add(2*time.Minute), 0)
	step("/back", noon.Add(-20*time.Hour), 0) // yesterday, by the wall
	step("/next", noon.Add(24*time.Hour), 0)
	step("/2030", time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC), 0)
	step("/home", noon.Add(25*time.Hour), 0)
	p.kill()
	p = serve(t, dir, args...)
	step("/home-restarted", noon.Add(26*time.Hour), 0)
	step("/25h", noon.Add(26*time.Hour), 25*time.Hour)
	p.setClock(dir, noon.Add(26*time.Hour), time.Hour)
	time.Sleep(2 * time.Second) // until it is noticed, which is within a second
	p.post(demo, "/26h")
	if code := p.stop(); code != 0 { // which stores what the journal holds
		t.Fatalf("exit code %d", code)
	}

	rows := rowsOf(t, dir)
	same := func(a, b string, want bool) {
		t.Helper()
		if (rows[a].Visitor == rows[b].Visitor) != want || rows[a].Visitor == 0 {
			t.Errorf("%s and %s are one visitor: want %v, got %+v and %+v", a, b, want, rows[a], rows[b])
		}
	}
	same("/noon", "/restarted", true)
	same("/noon", "/killed", true)
	same("/noon", "/back", true) // no key for an earlier date
	same("/noon", "/next", false)
	same("/next", "/2030", false)
	same("/2030", "/home", true) // the highest date seen stays
	same("/2030", "/home-restarted", true)
	same("/2030", "/25h", true)
	same("/2030", "/26h", false) // no key for longer, though the wall says it is the same day
	day := noon.Format(time.DateOnly)
	for path, want := range map[string]string{"/noon": day, "/back": day, "/26h": "2030-01-01", "/2030": "2030-01-01", "/home": "2030-01-01"} {
		if rows[path].Day != want {
			t.Errorf("%s is on %s, want %s", path, rows[path].Day, want)
		}
	}
}
