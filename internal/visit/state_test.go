package visit

import (
	"bytes"
	"encoding/hex"
	"flag"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden file anew; only for a new version of the state")

// reload returns a Tracker with the state of tr.
func reload(t *testing.T, tr *Tracker) *Tracker {
	t.Helper()
	state := tr.AppendState([]byte("before"))[len("before"):]
	loaded := New()
	join(loaded, pageview(99, noon, "/left over"))
	if err := loaded.Load(state); err != nil {
		t.Fatal(err)
	}
	if again := loaded.AppendState(nil); !bytes.Equal(state, again) {
		t.Fatal("a loaded state is written differently")
	}
	return loaded
}

func TestState_golden(t *testing.T) {
	tr := New()
	tr.maxOpen = 2
	for v := range uint64(3) {
		join(tr, pageview(v+1, noon+int64(v), "/"))
		join(tr, pageview(v+1, noon+int64(v)+100, "/b"))
	}
	const path = "testdata/state-v1.hex"
	got := hex.Dump(tr.AppendState(nil))
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("the bytes of version 1 changed:\n%s", diff)
	}
	reload(t, tr)
}

func TestLoad_refuses(t *testing.T) {
	tr := New()
	for _, e := range traffic(rand.New(rand.NewPCG(1, 1)), 20) {
		join(tr, e)
	}
	good := tr.AppendState(nil)
	f := func(what string, b []byte) {
		t.Helper()
		tr := New()
		join(tr, pageview(1, noon, "/"))
		if err := tr.Load(b); err == nil {
			t.Errorf("%s: no error", what)
		}
		if tr.Len() != 0 {
			t.Errorf("%s: %d visits are left, want 0", what, tr.Len())
		}
	}
	for n := range good {
		f("truncated", good[:n])
	}
	f("trailing byte", append(bytes.Clone(good), 0))
	f("unknown version", append([]byte{2}, good[1:]...))
}

func FuzzLoad(f *testing.F) {
	tr := New()
	for _, e := range traffic(rand.New(rand.NewPCG(1, 1)), 20) {
		join(tr, e)
	}
	f.Add(tr.AppendState(nil))
	f.Add([]byte{1})
	f.Fuzz(func(_ *testing.T, b []byte) {
		tr := New()
		if tr.Load(b) == nil {
			tr.AppendState(nil)
			join(tr, pageview(1, noon, "/"))
		}
	})
}
