package journal

import (
	"fmt"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// The model of a journal is a list that grows at its end and is cut at its beginning.
type modelFrame struct {
	at      Position
	payload string
}

type modelTest struct {
	t       *testing.T
	rng     *rand.Rand
	cfg     Config
	j       *Journal
	frames  []modelFrame    // what was read the last time, and not released since
	started map[string]bool // payloads that Append was called with since
	acked   map[string]bool // those for which it returned nil
	mu      sync.Mutex      // guards the two maps
	serial  int
}

// TestModel does random things to a journal and to a list, and compares them.
func TestModel(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, procs := range []int{1, 2, 16} {
		runtime.GOMAXPROCS(procs)
		for range modelRuns {
			seed := rand.Uint64()
			t.Run(fmt.Sprintf("procs %d seed %d", procs, seed), func(t *testing.T) { runModel(t, seed) })
		}
	}
}

func runModel(t *testing.T, seed uint64) {
	t.Helper()
	m := &modelTest{t: t, rng: rand.New(rand.NewPCG(seed, 0)), started: map[string]bool{}, acked: map[string]bool{}}
	m.cfg = small(t.TempDir())
	m.cfg.SegmentBytes = int64(4096 + m.rng.IntN(12_000))
	m.cfg.Interval = time.Duration(1+m.rng.IntN(5)) * time.Millisecond
	m.j = mustOpen(t, m.cfg)
	ops := map[string]func(){
		"append": func() { m.burst().Wait() }, "read": m.read, "follow": m.follow, "roll": m.roll, "release": m.release,
		"erase": m.erase, "reopen": m.reopen, "kill": m.kill, "kill under load": m.killUnderLoad,
	}
	names := slices.Sorted(maps.Keys(ops))
	for range 60 {
		name := names[m.rng.IntN(len(names))]
		ops[name]()
		if t.Failed() {
			t.Fatalf("after %q", name)
		}
	}
	m.read()
	if s := m.j.Stats(); s.Abandoned != 0 || s.WriteErrors != 0 || s.SyncErrors != 0 || s.Refused != 0 {
		t.Errorf("%+v", s)
	}
	mustClose(t, m.j)
}

// burst begins to append from several goroutines.
func (m *modelTest) burst() *sync.WaitGroup {
	var group sync.WaitGroup
	for range 1 + m.rng.IntN(5) {
		m.serial++
		writer, n, seed := m.serial, 1+m.rng.IntN(40), m.rng.Uint64()
		group.Go(func() {
			rng := rand.New(rand.NewPCG(seed, 1))
			for i := range n {
				p := fmt.Sprintf("%d %d %s", writer, i, strings.Repeat("z", rng.IntN(400)))
				m.mu.Lock()
				m.started[p] = true
				m.mu.Unlock()
				err := m.j.Append([]byte(p))
				m.mu.Lock()
				m.acked[p] = err == nil
				m.mu.Unlock()
			}
		})
	}
	return &group
}

// read compares everything with the model, and takes what was appended since into it.
func (m *modelTest) read() {
	m.t.Helper()
	got := m.all(Position{})
	if len(got) < len(m.frames) || !slices.Equal(got[:len(m.frames)], m.frames) {
		m.t.Errorf("%d frames, of which %d were known, and they differ", len(got), len(m.frames))
		return
	}
	last := map[string]int{}
	for _, f := range got[len(m.frames):] {
		var writer string
		var i int
		if _, err := fmt.Sscan(f.payload, &writer, &i); err != nil || !m.started[f.payload] {
			m.t.Errorf("frame %.20q at %v was never appended, or is read twice", f.payload, f.at)
		}
		if before, ok := last[writer]; ok && i <= before {
			m.t.Errorf("writer %s: frame %d behind %d", writer, i, before)
		}
		last[writer] = i
		delete(m.started, f.payload)
		delete(m.acked, f.payload)
	}
	for p, ok := range m.acked {
		if ok {
			m.t.Errorf("frame %.20q was acknowledged and is not found", p)
		}
	}
	clear(m.started)
	clear(m.acked)
	m.frames = got
}

func (m *modelTest) all(from Position) (all []modelFrame) {
	m.t.Helper()
	r, err := m.j.Reader(from)
	if err != nil {
		m.t.Fatal(err)
	}
	defer r.Close()
	for {
		f, ok, err := r.TryNext()
		if err != nil {
			m.t.Fatal(err)
		}
		if !ok {
			return all
		}
		all = append(all, modelFrame{f.Start, string(f.Payload)})
	}
}

// follow reads from somewhere in the middle while others append.
func (m *modelTest) follow() {
	m.t.Helper()
	m.read()
	if len(m.frames) == 0 {
		return
	}
	at := m.rng.IntN(len(m.frames))
	group := m.burst()
	if got := m.all(m.frames[at].at); len(got) < len(m.frames)-at || !slices.Equal(got[:len(m.frames)-at], m.frames[at:]) {
		m.t.Errorf("from frame %d of %d: %d frames, or others", at, len(m.frames), len(got))
	}
	group.Wait()
}

func (m *modelTest) roll() {
	if seg := m.j.active.Load(); seg != nil {
		seg.seal()
		if err := m.j.turn(seg); err != nil {
			m.t.Error(err)
		}
	}
}

func (m *modelTest) release() {
	m.t.Helper()
	m.read()
	if len(m.frames) == 0 {
		return
	}
	upTo := m.frames[m.rng.IntN(len(m.frames))].at
	if err := m.j.Release(upTo); err != nil {
		m.t.Error(err)
	}
	m.frames = slices.DeleteFunc(m.frames, func(f modelFrame) bool { return f.at.Segment < upTo.Segment })
}

func (m *modelTest) erase() {
	m.t.Helper()
	m.read()
	if len(m.frames) == 0 {
		return
	}
	id, salt := m.frames[m.rng.IntN(len(m.frames))].at.Segment, byte(m.rng.Uint32())
	picked := func(p string) bool {
		h := fnv.New32()
		_, _ = h.Write([]byte{salt})
		_, _ = h.Write([]byte(p))
		return h.Sum32()%3 == 0 && strings.Trim(p, "\x00") != ""
	}
	n, err := m.j.Erase(id, func(p []byte) bool { return picked(string(p)) })
	if err != nil {
		return // It is live.
	}
	for i, f := range m.frames {
		if f.at.Segment == id && picked(f.payload) {
			m.frames[i].payload = strings.Repeat("\x00", len(f.payload))
			n--
		}
	}
	if n != 0 {
		m.t.Errorf("%d more frames of segment %d were erased than should be", n, id)
	}
}

func (m *modelTest) reopen() {
	m.t.Helper()
	mustClose(m.t, m.j)
	m.j = mustOpen(m.t, m.cfg)
}

// kill goes on with what a killed process would have left: a copy of the files as they are.
func (m *modelTest) kill() {
	m.t.Helper()
	dir := m.copyFiles()
	mustClose(m.t, m.j)
	m.cfg.Dir = dir
	m.j = mustOpen(m.t, m.cfg)
}

func (m *modelTest) copyFiles() (dir string) {
	m.t.Helper()
	dir = m.t.TempDir()
	files, err := filepath.Glob(filepath.Join(m.cfg.Dir, "*"+suffix))
	if err != nil {
		m.t.Fatal(err)
	}
	for _, path := range files {
		b, err := os.ReadFile(path)
		if err != nil {
			m.t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(path)), b, 0o600); err != nil {
			m.t.Fatal(err)
		}
	}
	return dir
}

func (m *modelTest) killUnderLoad() {
	m.t.Helper()
	m.read()
	group := m.burst()
	time.Sleep(time.Duration(m.rng.IntN(300)) * time.Microsecond)
	m.mu.Lock()
	acked := maps.Clone(m.acked)
	m.mu.Unlock()
	dir := m.copyFiles()
	mustClose(m.t, m.j)
	group.Wait()
	m.acked = acked // What was acknowledged later may be in the copy or not.
	m.cfg.Dir = dir
	m.j = mustOpen(m.t, m.cfg)
	m.read()
}
