package journal

import (
	"encoding/binary"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"time"
)

// follower finds the frames of a live segment while producers append to it, in its mapping.
//
// It comes to places whose header word is zero although they were claimed: their producers are about to publish, or were interrupted. Nothing behind such
// a hole may be returned before what belongs into it, or the order of one goroutine's frames would be lost, and a checkpoint behind it would lose the
// frame. So it waits there: a producer needs well under a microsecond, and an interrupted one is soon back.
//
// After Config.HoleWait it gives the place up, so that no stuck goroutine holds all events for ever. It changes the zero word into a tombstone with one
// compare-and-swap. The producer publishes with a compare-and-swap from zero too. Both are atomic on the same word, so exactly one succeeds: either the
// frame was published after all, and is read, or its producer sees that it was not and appends it anew, at another place, before Append returns. A frame
// is never acknowledged and passed by, and never read twice.
//
// How long a given-up claim is nobody knows but its producer, so the follower goes on boundary by boundary to the next frame that verifies. Each zero word
// on the way may be the start of another claim and becomes a tombstone too, by the same rule: at once where space was claimed before the wait began, since it
// was waited for as long, and after another wait elsewhere. A word that is not zero belongs to one of three kinds. It is the header of a published frame: it verifies, because its payload was
// written before it. It is a tombstone. Or it is the inside of a payload, perhaps one that its slow producer is still copying, and over whose zeros tombstones were
// written: whether that claim was given up or is damaged, nobody will read it as a frame. A copy in progress never reaches beyond its
// own claim, and what is half copied cannot verify as a frame, since that takes the segment's nonce.
type follower struct {
	j   *Journal
	seg *segment

	from   int64 // frames that begin before it are not returned
	offset int64 // the next boundary to look at
	gap    int64 // where the bytes that are no frame began; offset where there are none
	limit  int64 // up to where space is known to be claimed
	sealed bool  // limit is the end of the segment
	old    int64 // claims before it were there when a wait began that was in vain: they are not waited for again

	buf []byte // the payload that was returned

	skipped func(from, to int64) // is told of the bytes that are no frame
}

// newFollower returns one that returns the frames from there on. It goes through all before them, because from may lie inside a frame, and a word of
// its payload is not one to wait for and to give up.
func newFollower(j *Journal, seg *segment, from int64) *follower {
	return &follower{j: j, seg: seg, from: from, offset: headerBytes, gap: headerBytes}
}

// next returns the next frame. Without one, ok is false and everything that was claimed before the call was read or given up.
func (w *follower) next() (f Frame, ok bool, err error) {
	defer catchFault(debug.SetPanicOnFault(true), &err)
	for {
		if w.offset+align > w.limit {
			w.limit, w.sealed = w.seg.claimed()
			if w.offset+align > w.limit {
				w.skip()
				return Frame{}, false, nil
			}
		}
		switch f, ok = w.frame(w.word()); {
		case !ok:
			w.offset += align
		case f.Start.Offset >= w.from:
			return f, true, nil
		}
	}
}

// word returns the header word at w.offset. It is zero only where nobody can publish any more.
func (w *follower) word() uint64 {
	if word := w.seg.load(w.offset); word != 0 {
		return word
	}
	if w.offset >= w.old {
		if word, ok := w.wait(); ok {
			return word
		}
	}
	return w.seg.giveUp(w.offset)
}

// frame returns the frame that begins at w.offset with that word, if one does, and goes behind it.
func (w *follower) frame(word uint64) (Frame, bool) {
	n, sum := int(uint32(native(word))), uint32(native(word)>>32)
	stop := w.offset + frameBytes(n)
	if n == 0 || n > MaxFrame || stop > w.limit {
		return Frame{}, false
	}
	// It is copied before it is checked, so that the caller never touches the mapping.
	w.buf = append(w.buf[:0], w.seg.mem[w.offset+frameHeader:][:n]...)
	if checksum(w.seg.seed, w.offset, w.buf) != sum {
		return Frame{}, false
	}
	w.skip()
	f := Frame{Start: Position{w.seg.id, w.offset}, End: Position{w.seg.id, stop}, CRC: sum, Nonce: w.seg.nonce, Payload: w.buf[:n:n]}
	w.offset, w.gap = stop, stop
	return f, true
}

// skip tells of the bytes between the last frame and w.offset.
func (w *follower) skip() {
	from := max(w.gap, boundary(w.from))
	w.gap = w.offset
	if w.offset > from {
		w.skipped(from, w.offset)
	}
}

// wait waits for the place at w.offset to be published, or for all producers to be gone, and returns its word. ok is false when that took too long. It adds up
// what it slept instead of asking for the time, so that a process that was stopped, or starved, does not give up what its producers could not publish meanwhile.
func (w *follower) wait() (word uint64, ok bool) {
	for range 100 {
		if word, ok = w.settled(); ok {
			return word, true
		}
		runtime.Gosched()
	}
	w.j.counter.holesWaited.Add(1)
	old, _ := w.seg.claimed()
	pause := 20 * time.Microsecond
	for slept := time.Duration(0); slept < w.j.cfg.HoleWait; slept += pause {
		pause = min(2*pause, 5*time.Millisecond)
		time.Sleep(pause)
		if word, ok = w.settled(); ok {
			return word, true
		}
	}
	w.old = old
	w.j.log.Error("an append to the journal hangs, its place is given up", "segment", w.seg.id, "offset", w.offset, "waited", w.j.cfg.HoleWait)
	return 0, false
}

// settled returns the word at w.offset. ok says that it will not be published later.
func (w *follower) settled() (word uint64, ok bool) {
	drained := w.seg.drained() // Before the word: whoever published it did so before leaving.
	word = w.seg.load(w.offset)
	return word, drained || word != 0
}

// bytes reads from the mapping, word by word, since producers that were given up may still write there.
func (w *follower) bytes(b []byte, offset int64) (err error) {
	defer catchFault(debug.SetPanicOnFault(true), &err)
	for i := 0; i < len(b); i += 8 {
		var word [8]byte
		binary.NativeEndian.PutUint64(word[:], atomic.LoadUint64(wordAt(w.seg.mem, offset+int64(i))))
		copy(b[i:], word[:])
	}
	return nil
}
