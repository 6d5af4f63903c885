package agent

import (
	"fmt"
	"runtime"
	"sync"
	"testing"
)

func TestParse_hitAllocatesNothing(t *testing.T) {
	p := New(Config{Bot: func(string) string { return "" }})
	for _, s := range samples() {
		h := Hints{`"Google Chrome";v="131"`, `"Windows"`, "?0"}
		p.Parse(s.ua, h)
		if n := testing.AllocsPerRun(10, func() { p.Parse(s.ua, h) }); n != 0 {
			t.Errorf("Parse(%q) allocates %v times on a hit", s.ua, n)
		}
	}
}

func TestCache_answersAreShared(t *testing.T) {
	p := New(Config{})
	ua := samples()[0].ua
	if p.Parse(ua, Hints{}) != p.Parse(string([]byte(ua)), Hints{}) {
		t.Error("the same agent was parsed twice")
	}
}

// The hints are part of the key, and so is the header each of them came in.
func TestCache_keyTellsHeadersApart(t *testing.T) {
	c := newCache(0, 0)
	keys := map[key]string{}
	for _, in := range [][4]string{
		{"a"}, {"a", "b"}, {"a", "", "b"}, {"a", "", "", "?0"}, {"a", "", "", "?1"}, {"ab"}, {"", "a"}, {""}, {"a", "b", "c"}, {"a", "c", "b"}, {"a", "b", "c", "?0"}, {"b", "a"},
	} {
		k := c.key(in[0], Hints{in[1], in[2], in[3]})
		if other, taken := keys[k]; taken {
			t.Errorf("%q has the key of %s", in, other)
		}
		keys[k] = fmt.Sprintf("%q", in)
	}
}

// One half of a key is not enough.
func TestCache_getComparesBoth(t *testing.T) {
	c := newCache(0, 0)
	k := key{1, 2}
	a := c.put(k, Agent{})
	for other, want := range map[key]*Agent{k: a, {1, 3}: nil, {1 + 1<<32, 2}: nil} {
		if got := c.get(other); got != want {
			t.Errorf("get(%v) after put(%v) is %p, want %p", other, k, got, want)
		}
	}
}

func TestCache_seedsDiffer(t *testing.T) {
	a, b := newCache(0, 0), newCache(0, 0)
	k := a.key("x", Hints{})
	if k == b.key("x", Hints{}) {
		t.Error("two caches have the same key for an agent")
	}
	if k.a == k.b {
		t.Error("both hashes of a key are one")
	}
}

func TestCache_bounds(t *testing.T) {
	for _, c := range []struct{ entries, bytes, want int }{
		{0, 0, 4096},
		{-1, -1, 4096},
		{1000, 0, 512},
		{1024, 1 << 30, 1024},
		{1 << 20, 64 << 10, 256},
		{1, 0, ways},
		{0, 1, ways},
	} {
		if got := len(newCache(c.entries, c.bytes).sets) * ways; got != c.want {
			t.Errorf("newCache(%d, %d) has %d places, want %d", c.entries, c.bytes, got, c.want)
		}
	}
}

// A flood of agents that are never seen again neither grows the cache nor drives out what is used all the time.
func TestCache_flood(t *testing.T) {
	p := New(Config{CacheEntries: 64})
	popular := samples()[0].ua
	first, kept := p.Parse(popular, Hints{}), 0
	for i := range 10_000 {
		p.Parse(fmt.Sprintf("Flood/%d", i), Hints{})
		if p.Parse(popular, Hints{}) == first {
			kept++
		}
		first = p.Parse(popular, Hints{})
	}
	if kept < 9_990 {
		t.Errorf("the popular agent was kept %d times of 10000", kept)
	}
	entries := 0
	for i := range p.cache.sets {
		for j := range p.cache.sets[i] {
			if p.cache.sets[i][j].Load() != nil {
				entries++
			}
		}
	}
	if entries != 64 {
		t.Errorf("%d entries, want 64", entries)
	}
}

// A full cache takes no more memory than it says: entryBytes is true.
func TestCache_bytes(t *testing.T) {
	const limit = 1 << 20
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	p := New(Config{CacheEntries: 1 << 30, CacheBytes: limit})
	for i := range 40_000 {
		p.Parse(fmt.Sprintf("Mozilla/5.0 (Linux; Android 15.%d; K) AppleWebKit/537.36 Vivaldi/100.%d %d", i%1000, i%999, i), Hints{})
	}
	grown := int64(heap() - before)
	runtime.KeepAlive(p)
	if grown > limit*105/100 {
		t.Errorf("a cache of %d bytes takes %d", limit, grown)
	}
	if grown < limit/2 {
		t.Errorf("a cache of %d bytes holds only %d: the test does not fill it", limit, grown)
	}
}

func TestCache_concurrent(t *testing.T) {
	p := New(Config{CacheEntries: 16})
	all := samples()
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 2000 {
				s := all[(i*7+g)%len(all)]
				if got := p.Parse(s.ua, Hints{}); got.Browser != s.want.Browser || got.OS != s.want.OS {
					t.Errorf("Parse(%q) = %+v", s.ua, *got)
				}
			}
		})
	}
	wg.Wait()
}
