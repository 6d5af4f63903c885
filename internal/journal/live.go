package journal

import (
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// live is a segment that this process made and many goroutines append to. Nobody holds a lock while they do.
//
// A producer claims space with one atomic add to tail. If what it claimed lies within the file, nobody else writes there: it copies the payload, and then
// publishes the frame by changing the header word from zero with one compare-and-swap. That is an atomic operation, so whoever sees the word sees the
// payload, on every machine that Go runs on; and what is in a shared mapping is the kernel's, so it stays when the process is killed right afterwards.
//
// Exactly one claim reaches over the limit while it starts within it: tail passes the limit once. Whoever made it seals the segment, which ends where
// that claim began. All later claims start behind the limit, and whoever makes one touches nothing of this segment but tail: it goes to the next one. So the
// mapping may go when all claims before the end were left, which published counts, and no reader is in it. To seal a segment that is not full, one
// claims more than there is.
type live struct {
	mem   []byte // the mapping; it does not change before the segment is finished
	limit int64  // where the room for frames ends

	end atomic.Int64 // where the frames of a sealed segment end; 0 before

	_         [64]byte // What follows is written to by every producer, and has its own cache lines.
	tail      atomic.Int64
	_         [120]byte
	published atomic.Uint64 // claims that were left: what they took in units of align in the low half, how many of them were frames in the high half
	_         [120]byte

	mapMu sync.Mutex // guards what follows
	pins  int        // readers in the mapping
	gone  bool       // it was unmapped
}

const frameUnit = 1 << 32 // one frame in published

// left is what published grows by when a claim of n bytes is left.
func left(n int64) uint64 { return uint64(n) / align }

// claimed returns up to where space was claimed, which does not move any more where sealed is true.
func (l *live) claimed() (to int64, sealed bool) {
	if to = l.tail.Load(); to <= l.limit {
		return to, false
	}
	// Whoever passed the limit stores the end next, unless it was just interrupted. It is not slept at once: the caller may hold a lock.
	for n := 0; ; n++ {
		if end := l.end.Load(); end != 0 {
			return end, true
		}
		if runtime.Gosched(); n > 20_000 {
			time.Sleep(50 * time.Microsecond)
		}
	}
}

// wasLive says whether this process made the segment.
func (l *live) wasLive() bool { return l.limit != 0 }

// seal ends a segment that may not be full: nothing is appended to it any more.
func (l *live) seal() {
	n := l.limit + align
	if start := l.tail.Add(n) - n; start <= l.limit {
		l.end.Store(start)
	}
}

// isSealed says whether nothing is appended any more.
func (l *live) isSealed() bool { return l.end.Load() != 0 }

// drained says whether the segment is sealed and no producer is in it.
func (l *live) drained() bool {
	end := l.end.Load()
	return end != 0 && int64(uint32(l.published.Load()))*align == end-headerBytes
}

// load returns the header word at offset.
func (l *live) load(offset int64) uint64 { return atomic.LoadUint64(wordAt(l.mem, offset)) }

// giveUp makes the place at offset one that nobody can publish. It returns what is there then.
func (l *live) giveUp(offset int64) uint64 {
	word := wordAt(l.mem, offset)
	if atomic.CompareAndSwapUint64(word, 0, native(tombstone)) {
		return native(tombstone)
	}
	return atomic.LoadUint64(word)
}

// put writes the frame to the claim that begins at start. It returns false where a reader gave the claim up before, and an error where the disk failed.
func (s *segment) put(start int64, frame []byte) (ok bool, err error) {
	word := headerWord(len(frame), checksum(s.seed, start, frame))
	defer catchFault(debug.SetPanicOnFault(true), &err)
	copy(s.mem[start+frameHeader:], frame)
	return atomic.CompareAndSwapUint64(wordAt(s.mem, start), 0, word), nil
}

// pin keeps the mapping for a reader. It returns false where there is none any more.
func (l *live) pin() bool {
	l.mapMu.Lock()
	defer l.mapMu.Unlock()
	if l.mem == nil || l.gone {
		return false
	}
	l.pins++
	return true
}

func (s *segment) unpin(d disk) {
	s.mapMu.Lock()
	s.pins--
	s.mapMu.Unlock()
	if s.finished.Load() {
		s.unmap(d)
	}
}

// unmap ends the mapping of a finished segment when no reader is in it. The last one who leaves calls it again.
func (s *segment) unmap(d disk) {
	s.mapMu.Lock()
	defer s.mapMu.Unlock()
	if s.pins == 0 && !s.gone {
		s.gone = true
		_ = d.unmap(s.mem) // There is nothing to do about it, and the file is synced.
		s.mem = nil
	}
}
