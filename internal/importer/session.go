package importer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/daysalt/daysalt/internal/fault"
	"github.com/daysalt/daysalt/internal/ingest"
)

// Keys are the throwaway keys of one import.
type Keys interface {
	ingest.Keys
	Expired() bool  // they are KeysFor old, whatever the wall's clock says
	Destroy() error // nobody can make their numbers again
	Close() error   // lets go of them; whoever opens them next goes on with them
}

// Opener opens the keys of an import. Where begun is set they have to be there, and it makes none: it fails with ErrExpired where they are lost or too old.
// Else it may find those of a try that came to nothing; where they are too old it destroys them and fails with ErrExpired, and may be called again.
type Opener func(id uint16, begun bool) (Keys, error)

// ErrExpired says that the keys of an import are gone or too old. Number of Keys may return it too, wrapped or not.
var ErrExpired = errors.New("the import's keys are gone")

// session is what the process knows of an import beyond its record.
type session struct {
	mu sync.Mutex // of the import: held through a whole command

	run     *ingest.Import // nil: the keys are not open
	keys    Keys
	next    uint64 // the first line that ingest was not given
	kept    uint64 // events that are not recorded yet
	dropped map[string]uint64

	forgotten uint64 // of Ship when it was recorded last
}

// take locks an import for one command. It fails with Conflict where another one has it, and with Unavailable after Close.
func (s *Service) take(id uint16) (*session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, fault.Unavailablef(nil, "the server is stopping")
	}
	one, ok := s.sessions[id]
	if !ok {
		one = &session{}
		s.sessions[id] = one
	}
	if !one.mu.TryLock() {
		return nil, fault.Conflictf(Busy, "another command works on import %d now; try again when it is done", id)
	}
	return one, nil
}

// release unlocks an import, and forgets it where nothing is open.
func (s *Service) release(id uint16, one *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if one.run == nil {
		delete(s.sessions, id)
	}
	one.mu.Unlock()
}

// hold is take, with the record of an import that is not being removed.
func (s *Service) hold(ctx context.Context, id uint16) (*session, record, error) {
	session, err := s.take(id)
	if err != nil {
		return nil, record{}, err
	}
	one, err := s.records.get(ctx, id)
	if err == nil && one.State == Removing {
		err = fault.Conflictf("import", "%d is being removed; `daysalt import rm %d --yes` says when that is done", id, id)
	}
	if err != nil {
		s.release(id, session)
		return nil, record{}, err
	}
	return session, one, nil
}

// ready opens the keys of an import, so that lines can be ingested. It is on disk that there are keys before the first line is ingested; from then on
// other keys would give the same people new numbers.
func (s *Service) ready(ctx context.Context, session *session, one *record) error {
	if one.State == Expired {
		return gone(one.ID)
	}
	if s.tooOld(*one, session) {
		return errors.Join(gone(one.ID), s.expire(ctx, session, one))
	}
	if session.run != nil {
		return nil
	}
	begun := !one.keysAt.IsZero()
	keys, err := s.Open(one.ID, begun)
	if !begun && errors.Is(err, ErrExpired) {
		keys, err = s.Open(one.ID, begun)
	}
	if errors.Is(err, ErrExpired) {
		return errors.Join(gone(one.ID), s.mark(ctx, one))
	}
	if err != nil {
		return fmt.Errorf("cannot open the import's keys: %w", err)
	}
	session.run, session.keys = &ingest.Import{Origin: one.ID, Keys: keys}, keys
	session.next, session.kept, session.dropped, session.forgotten = one.NextLine, 0, map[string]uint64{}, s.Ship.Forgotten(one.ID)
	if begun {
		return nil
	}
	one.keysAt = s.Clock.Now()
	if err := s.records.save(ctx, *one); err != nil {
		return errors.Join(err, s.destroy(session, one))
	}
	return nil
}

// gone says why an import cannot go on.
func gone(id uint16) *fault.Error {
	return fault.Conflictf("import", "%d cannot go on, its keys are gone (they live for 24 hours at most, in a file in memory no longer than the machine runs, else no longer than the server): "+
		"the same people would be counted anew. `daysalt import rm %d --yes` deletes what it stored; then the file can be imported again", id, id)
}

// tooOld says whether the keys of an import have to go. session may be nil.
func (s *Service) tooOld(one record, session *session) bool {
	if one.keysAt.IsZero() || one.State != Open {
		return false
	}
	return s.Clock.Now().Sub(one.keysAt) >= KeysFor || session != nil && session.run != nil && session.keys.Expired()
}

// expire destroys the keys of an import that is too old, and writes down that it cannot go on where it would need them.
func (s *Service) expire(ctx context.Context, session *session, one *record) error {
	if err := s.destroy(session, one); err != nil {
		return err
	}
	return s.mark(ctx, one)
}

// mark writes down that the keys are gone.
func (s *Service) mark(ctx context.Context, one *record) error {
	one.keysAt = time.Time{}
	if one.NextLine <= one.Lines {
		one.State = Expired
	}
	s.Log.Warn("the keys of an unfinished import are gone", "import", one.ID)
	return s.records.save(ctx, *one)
}

// destroy destroys the keys of an import, also where they are not open. The record has none then; whoever calls it saves that.
func (s *Service) destroy(session *session, one *record) error {
	keys := session.keys
	if session.run == nil && !one.keysAt.IsZero() {
		opened, err := s.Open(one.ID, true)
		if err != nil && !errors.Is(err, ErrExpired) {
			return fmt.Errorf("cannot open the import's keys to destroy them: %w", err)
		}
		keys = opened
	}
	session.run, session.keys = nil, nil
	if keys != nil {
		if err := errors.Join(keys.Destroy(), keys.Close()); err != nil {
			return fmt.Errorf("cannot destroy the import's keys: %w", err)
		}
	}
	one.keysAt = time.Time{}
	return nil
}

// count adds to a record what was ingested since the last time it was recorded. forgotten is of Ship.
func (s *session) count(one *record, forgotten uint64) {
	one.NextLine = max(one.NextLine, s.next)
	one.Kept += s.kept
	one.Forgotten += forgotten - s.forgotten
	_, dropped := s.run.Counts()
	for reason, n := range dropped {
		if n > s.dropped[reason] {
			one.Dropped[reason] += n - s.dropped[reason]
		}
	}
}

// counted says that what count added is recorded.
func (s *session) counted(forgotten uint64) {
	_, dropped := s.run.Counts()
	s.forgotten = forgotten
	s.kept, s.dropped = 0, maps.Clone(dropped)
}
