package agent

import (
	"hash/maphash"
	"sync/atomic"
	"unsafe"
)

// ways is how many places there are for a key. Four are enough that a popular agent hardly ever loses its place.
const ways = 4

// entryBytes is what one entry takes with its place, rounded up by the allocator; a test measures it.
const entryBytes = 152

const (
	defaultEntries = 4096
	defaultBytes   = 1 << 20
)

// key stands for an agent and its hints: two hashes under seeds of this process, so that nobody outside can make two agents collide.
type key struct{ a, b uint64 }

// entry is one answer. Only used changes after it was published.
type entry struct {
	key   key
	used  atomic.Bool // since room was last looked for
	agent Agent

	// The texts of the agent's versions. Short texts of their own would share their place on the heap with other short texts that were made at the same
	// moment, pieces of the raw agent for instance, and keep them.
	browserVersion, osVersion versionText
}

// versionText has room for the longest version.
type versionText [2*maxDigits + 1]byte

// keep copies a version and returns it as it is here.
func (t *versionText) keep(v string) string {
	return unsafe.String(&t[0], copy(t[:], v)) //nolint:gosec // it lives as long as what it is a view of
}

// cache keeps the answers for recent agents, in sets of four places each. Readers and writers only load and store pointers: two writers
// may cost each other an entry, which is then made again.
type cache struct {
	seedA, seedB maphash.Seed
	mask         uint64
	sets         []set
}

type set [ways]atomic.Pointer[entry]

// newCache returns a cache of the largest size that keeps to both bounds; four entries are the least.
func newCache(entries, bytes int) *cache {
	if entries <= 0 {
		entries = defaultEntries
	}
	if bytes <= 0 {
		bytes = defaultBytes
	}
	entries = min(entries, bytes/entryBytes)
	sets := 1
	for sets*2*ways <= entries {
		sets *= 2
	}
	return &cache{seedA: maphash.MakeSeed(), seedB: maphash.MakeSeed(), mask: uint64(sets - 1), sets: make([]set, sets)}
}

// key hashes the agent and its hints. The platform is hashed once for both halves: it is one of a few short words.
func (c *cache) key(ua string, h Hints) key {
	k := key{maphash.String(c.seedA, ua), maphash.String(c.seedB, ua)}
	if h == (Hints{}) {
		return k
	}
	short := maphash.String(c.seedA, h.Platform) + mobileNumber(h.Mobile)
	return key{
		mix(mix(k.a, maphash.String(c.seedA, h.Brands)), short),
		mix(mix(k.b, maphash.String(c.seedB, h.Brands)), short),
	}
}

// mix joins two hashes such that their order counts. The odd factor spreads every bit.
func mix(h, next uint64) uint64 {
	return (h<<23|h>>41)*0x9e3779b97f4a7c15 + next
}

// mobileNumber tells the two values of Sec-CH-UA-Mobile from each other and from anything else.
func mobileNumber(header string) uint64 {
	switch header {
	case "?0":
		return 1
	case "?1":
		return 2
	}
	return 0
}

// get returns the answer for k, or nil.
func (c *cache) get(k key) *Agent {
	s := &c.sets[k.a&c.mask]
	for i := range s {
		e := s[i].Load()
		if e == nil || e.key != k {
			continue
		}
		if !e.used.Load() {
			e.used.Store(true)
		}
		return &e.agent
	}
	return nil
}

// put keeps a for k and returns the kept copy. It takes an empty place, else one not used since room was last looked for, else any.
func (c *cache) put(k key, a Agent) *Agent {
	e := &entry{key: k, agent: a}
	e.agent.BrowserVersion = e.browserVersion.keep(a.BrowserVersion)
	e.agent.OSVersion = e.osVersion.keep(a.OSVersion)
	s := &c.sets[k.a&c.mask]
	for i := range s {
		if s[i].CompareAndSwap(nil, e) {
			return &e.agent
		}
	}
	place := k.b % ways
	for i := range s {
		if old := s[i].Load(); !old.used.Swap(false) {
			place = uint64(i)
			break
		}
	}
	s[place].Store(e)
	return &e.agent
}
