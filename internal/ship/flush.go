package ship

import (
	"context"

	"github.com/daysalt/daysalt/internal/journal"
)

// waiter is one call of Flush, or of Erase.
type waiter struct {
	head  journal.Position // what it waits for lies before it
	done  chan struct{}
	erase *erasing // nil for Flush
}

// Flush returns nil when every event that was appended to the journal before the call is stored, without waiting for a batch to fill. It needs Run, returns
// ErrStopped when that has ended, and the cause of ctx when that ends first.
func (s *Shipper) Flush(ctx context.Context) error {
	return s.waitFor(ctx, &waiter{head: s.j.Head(), done: make(chan struct{})})
}

func (s *Shipper) waitFor(ctx context.Context, w *waiter) error {
	s.mu.Lock()
	s.waiters = append(s.waiters, w)
	s.asked.Store(true)
	s.mu.Unlock()
	select {
	case s.poke <- struct{}{}:
	default:
	}
	select {
	case <-w.done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-s.stopped:
	}
	select { // Both may be so, and then it was done.
	case <-w.done:
		return nil
	default:
		return ErrStopped
	}
}

// collectWaiters takes over those who wait. Every frame that one of them waits for can be read after this.
func (s *Shipper) collectWaiters() {
	if !s.asked.Load() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answering = append(s.answering, s.waiters...)
	s.waiters = nil
	s.asked.Store(false)
}

// waitedFor says whether somebody waits for frames up to this one and not beyond.
func (s *Shipper) waitedFor(end journal.Position) bool {
	for _, w := range s.answering {
		if end.Compare(w.head) >= 0 {
			return true
		}
	}
	return false
}

// answer tells all collected waiters that their events are stored, but those of Erase, who wait for more.
func (s *Shipper) answer() { s.answerThose(func(*waiter) bool { return true }) }

// answerUpTo tells those who wait for nothing behind end.
func (s *Shipper) answerUpTo(end journal.Position) {
	s.answerThose(func(w *waiter) bool { return end.Compare(w.head) >= 0 })
}

func (s *Shipper) answerThose(ready func(*waiter) bool) {
	rest := s.answering[:0]
	for _, w := range s.answering {
		if w.erase == nil && ready(w) {
			close(w.done)
		} else {
			rest = append(rest, w)
		}
	}
	clear(s.answering[len(rest):])
	s.answering = rest
}
