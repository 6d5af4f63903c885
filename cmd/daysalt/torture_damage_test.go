package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	loader "github.com/daysalt/daysalt/internal/load"
)

// backlog lets the database hang while events come, and then kills both: what came is in the journal alone.
func (r *rig) backlog(d time.Duration, rate float64) loader.Result {
	r.t.Helper()
	r.database.signal(syscall.SIGSTOP)
	got := r.loadFor(d, rate)
	r.server.kill()
	r.database.kill()
	return got
}

// frame is a piece of a segment file.
type frame struct {
	file string
	at   int64 // of its length, which is four bytes before the checksum
	size int64 // of the payload
	id   uint64
}

// frames returns those of accepted events in the journal, in their order.
func (r *rig) frames(accepted []uint64) (all []frame) {
	r.t.Helper()
	known := map[uint64]bool{}
	for _, id := range accepted {
		known[id] = true
	}
	files, err := filepath.Glob(filepath.Join(r.dir, "journal", "*.seg"))
	if err != nil || len(files) == 0 {
		r.t.Fatalf("segments: %v, %v", files, err)
	}
	slices.Sort(files)
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			r.t.Fatal(err)
		}
		const header, align = 1024, 16
		for at := int64(header); at+8 < int64(len(b)); {
			size := int64(binary.LittleEndian.Uint32(b[at:]))
			next := (at + 8 + size + align - 1) &^ (align - 1)
			if size == 0 || next > int64(len(b)) {
				at += align
				continue
			}
			if id, ok := idIn(b[at+8 : at+8+size]); ok && known[id] {
				all = append(all, frame{file, at, size, id})
			}
			at = next
		}
	}
	if len(all) == 0 {
		r.t.Fatal("no event was found in the journal")
	}
	return all
}

// idIn finds the id in a payload, where a property's value stands behind its name.
func idIn(payload []byte) (id uint64, ok bool) {
	for at := range max(len(payload)-1-loader.IDLetters, 0) {
		if payload[at] != 'i' || payload[at+1] != 'd' {
			continue
		}
		if id, ok := loader.ParseID(string(payload[at+2:][:loader.IDLetters])); ok {
			return id, true
		}
	}
	return 0, false
}

// flip changes one bit of a file.
func flip(t *testing.T, path string, at int64) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	var b [1]byte
	if _, err := f.ReadAt(b[:], at); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 1 << rand.IntN(8)
	if _, err := f.WriteAt(b[:], at); err != nil {
		t.Fatal(err)
	}
}

// quarantine returns the lines of the file of what was put aside.
func (r *rig) quarantine() (lines []map[string]any) {
	r.t.Helper()
	b, err := os.ReadFile(filepath.Join(r.dir, "ship", "quarantine.jsonl"))
	if err != nil {
		r.t.Errorf("the quarantine: %v", err)
	}
	for line := range bytes.Lines(b) {
		var one map[string]any
		if err := json.Unmarshal(line, &one); err != nil {
			r.t.Fatal(err)
		}
		lines = append(lines, one)
	}
	return lines
}

// Bits of the journal flip while the server is down and what they belong to is not stored: the touched events are lost, counted and put aside, and no other.
func TestTorture_damage(t *testing.T) {
	t.Parallel()
	r := newRig(t).withDatabase()
	r.start()
	r.loadFor(300*time.Millisecond, stallRate)
	r.drained()
	all := r.frames(r.backlog(2500*time.Millisecond, stallRate).Accepted)
	all = all[len(all)/2:] // The others may be in a batch that the database has.
	rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	const hit = 20
	for i, f := range all[:hit] {
		places := []int64{rand.Int64N(2), 4 + rand.Int64N(4), 8 + rand.Int64N(f.size)} // its length, its checksum, its payload
		flip(t, f.file, f.at+places[i%len(places)])
		r.book.Spoil(f.id)
	}
	r.startDatabase()
	r.start()
	r.drained()
	skipped := r.metric("daysalt_journal_skipped_bytes_total")
	o := r.settle()
	aside := len(r.quarantine())
	t.Logf("seed %d: %d events of the journal damaged by a bit each: %v; %.0f bytes skipped, %d pieces in quarantine", r.seed, hit, o, skipped, aside)
	if skipped < 16*hit {
		t.Errorf("%.0f bytes were counted as skipped", skipped)
	}
	if aside == 0 || aside > hit { // Neighbours are one piece.
		t.Errorf("%d pieces are in quarantine, of %d damaged ones", aside, hit)
	}
}

// The checkpoint is deleted, rolled back or damaged between two lives of the server, and replayed: what is stored stays exact, visits too.
func TestTorture_checkpoint(t *testing.T) {
	t.Parallel()
	r := newRig(t).withDatabase()
	path := filepath.Join(r.dir, "ship", "checkpoint")
	var older []byte
	for _, spoil := range []func(now []byte) []byte{
		func([]byte) []byte { return nil },
		func([]byte) []byte { return older },
		func(now []byte) []byte { return now[:rand.IntN(len(now))] },
		func(now []byte) []byte {
			now[rand.IntN(len(now))] ^= 1 << rand.IntN(8)
			return now
		},
	} {
		r.start()
		f := r.load(stallRate)
		time.Sleep(300 * time.Millisecond)
		if code := r.server.stop(); code != 0 { // which writes a checkpoint
			t.Errorf("exit code %d", code)
		}
		f.end()
		now, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		r.start()
		r.loadFor(300*time.Millisecond, stallRate)
		r.server.kill()
		if b := spoil(bytes.Clone(now)); b != nil {
			err = os.WriteFile(path, b, 0o600)
		} else {
			err = os.Remove(path)
		}
		if err != nil {
			t.Fatal(err)
		}
		if older == nil {
			older = now
		}
	}
	r.start()
	o := r.settle()
	t.Logf("seed %d: the checkpoint deleted, rolled back, cut off and damaged between restarts: %v", r.seed, o)
}

// A server that has much to replay is killed while it does, again and again.
func TestTorture_replay(t *testing.T) {
	t.Parallel()
	r := newRig(t).withDatabase()
	r.start()
	r.backlog(1500*time.Millisecond, 0)
	replaying := 0
	for i := range killRounds {
		r.startDatabase()
		r.start()
		if i%2 == 0 { // as soon as something is stored, of which no checkpoint knows
			for end := time.Now().Add(20 * time.Second); r.metric("daysalt_ship_rows_total") == 0; time.Sleep(time.Millisecond) {
				if time.Now().After(end) {
					t.Fatal("nothing is replayed")
				}
			}
		} else {
			time.Sleep(rand.N(300 * time.Millisecond))
		}
		if r.metric("daysalt_ship_lag_bytes") > 0 {
			replaying++
		}
		r.server.kill()
		r.database.kill()
	}
	r.startDatabase()
	r.start()
	took := r.drained()
	o := r.settle()
	t.Logf("seed %d: killed %d times after a start with much to replay, %d times before it was done: %v; the last replay took %v", r.seed, killRounds, replaying, o, took.Round(time.Millisecond))
}

// One page of many is refused by the database for its content: its events are put aside, and everything else is stored once.
func TestTorture_poison(t *testing.T) {
	t.Parallel()
	r := newRig(t).withDatabase()
	r.start()
	r.database.sql("ALTER TABLE events ADD CONSTRAINT sane CHECK path != '/poison'")
	f := r.load(stallRate)
	const poisoned = 7
	for range poisoned {
		time.Sleep(rand.N(400 * time.Millisecond))
		id, got := r.post("/poison")
		if got.status != 202 {
			t.Fatalf("%+v", got)
		}
		r.book.Spoil(id)
	}
	f.end()
	r.post("/after")
	r.drained()
	counted := r.metric("daysalt_ship_quarantined_rows_total")
	o := r.settle()
	aside := r.quarantine()
	t.Logf("seed %d: a page that the database refuses: %v; %d rows in quarantine, %.0f counted", r.seed, o, len(aside), counted)
	if len(aside) != poisoned || counted != poisoned {
		t.Errorf("%d rows were to be in quarantine", poisoned)
	}
	for _, line := range aside {
		if reason, _ := line["reason"].(string); reason == "" {
			t.Errorf("no reason: %v", line)
		}
	}
}
