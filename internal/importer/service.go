package importer

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/daysalt/daysalt/internal/fault"
	"github.com/daysalt/daysalt/internal/ingest"
)

// Ingest takes lines into the journal. A line that it was given before is stored once.
type Ingest interface {
	Import(im *ingest.Import, line uint64, text []byte) (ingest.Verdict, error)
	EndImport(origin uint16) error
}

// Ship waits until what was appended to the journal is stored, and says how many visits of an import it forgot for want of room since the process began.
type Ship interface {
	Flush(ctx context.Context) error
	Forgotten(origin uint16) uint64
}

// Rows deletes what an import stored, and returns when it is gone.
type Rows interface {
	RemoveImport(ctx context.Context, origin uint16) error
}

// Clock tells the wall's time. It may be set: how long keys were in use is for Keys to know.
type Clock interface {
	Now() time.Time
}

// Deps are the parts a Service stands on.
type Deps struct {
	DB     *sql.DB // settings, migrated
	Ingest Ingest
	Ship   Ship
	Rows   Rows
	Open   Opener
	Clock  Clock
	Log    *slog.Logger // may be nil
}

// Service runs imports. It is safe for concurrent use.
type Service struct {
	Deps
	records records
	known   knower

	mu       sync.Mutex // guards what follows
	closed   bool
	sessions map[uint16]*session
}

// New returns a Service; Close has to be called. It opens no keys until an import goes on.
func New(d Deps) *Service {
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	return &Service{Deps: d, records: records{d.DB}, known: newKnower(d.DB), sessions: map[uint16]*session{}}
}

// How long is waited until a chunk is stored, and until the rows of an import are gone. Whoever waited longer tries again.
const (
	flushFor  = 30 * time.Second
	removeFor = 30 * time.Second
)

// Busy is the field of the Conflict that another command's chunk of the same import is under way: the one that passes by itself.
const Busy = "busy"

// Begin returns how far the import of a file is, and begins it where it is not known. It fails with Conflict where the import cannot go on.
func (s *Service) Begin(ctx context.Context, start Start) (Progress, error) {
	raw, err := hex.DecodeString(start.Digest)
	if err != nil || len(raw) != 32 || hex.EncodeToString(raw) != start.Digest {
		return Progress{}, fault.Invalidf("digest", "must be a SHA-256 in 64 hex digits of lower case")
	}
	if start.Lines < 1 || start.Lines > 1<<48 {
		return Progress{}, fault.Invalidf("lines", "is %d, and must be from 1 to 2^48", start.Lines)
	}
	file, err := s.known.name(ctx, raw)
	if err != nil {
		return Progress{}, err
	}
	one, err := s.records.begin(ctx, file, start.Lines, s.Clock.Now())
	if err != nil {
		return Progress{}, err
	}
	if one.Lines != start.Lines {
		return Progress{}, fault.Invalidf("lines", "is %d, and this file was said to have %d", start.Lines, one.Lines)
	}
	session, one, err := s.hold(ctx, one.ID) // it may have gone on meanwhile
	if err != nil {
		return Progress{}, err
	}
	defer s.release(one.ID, session)
	if one.State == Expired || one.NextLine <= one.Lines && !one.keysAt.IsZero() {
		if err := s.ready(ctx, session, &one); err != nil {
			return Progress{}, err
		}
	}
	return one.Progress, nil
}

// Lines takes a chunk: lines from, from+1 and so on, each with its end, of which those that are stored already are passed over. It returns when all of
// them are stored. It fails with Invalid for a wrong line, with Conflict where from is beyond the next line, where another chunk is under way or where
// the keys are gone, and with Unavailable where the journal is full or the database is away; then nothing is recorded and the chunk may be sent again.
func (s *Service) Lines(ctx context.Context, id uint16, from uint64, text []byte) (Progress, error) {
	if len(text) > MaxChunk {
		return Progress{}, fault.Invalidf("lines", "are %d bytes, and may be %d at a time", len(text), MaxChunk)
	}
	session, one, err := s.hold(ctx, id)
	if err != nil {
		return Progress{}, err
	}
	defer s.release(id, session)
	if one.State == Ended {
		return one.Progress, nil
	}
	if from < 1 || from > one.NextLine {
		return Progress{}, fault.Conflictf("from", "is %d, and line %d is the next one", from, one.NextLine)
	}
	if count := countLines(text); from+count > one.Lines+1 {
		return Progress{}, fault.Invalidf("lines", "go up to %d, and the file was said to have %d", from+count-1, one.Lines)
	}
	if err := s.ready(ctx, session, &one); err != nil {
		return Progress{}, err
	}
	if err := s.ingest(session, from, text); err != nil {
		if errors.Is(err, ErrExpired) {
			return Progress{}, errors.Join(gone(id), s.expire(ctx, session, &one))
		}
		return Progress{}, err
	}
	if err := s.flush(ctx); err != nil {
		return Progress{}, err
	}
	forgotten := s.Ship.Forgotten(id)
	session.count(&one, forgotten)
	if err := s.records.save(ctx, one); err != nil {
		return Progress{}, err
	}
	session.counted(forgotten)
	return one.Progress, nil
}

// ingest gives lines to ingest that it was not given yet in this process. What a failed flush left behind is in the journal: it needs no second frame.
func (s *Service) ingest(session *session, from uint64, text []byte) error {
	number := from - 1
	for line := range bytes.Lines(text) {
		number++
		if number < session.next {
			continue
		}
		if line = bytes.TrimSpace(line); len(line) > 0 {
			verdict, err := s.Ingest.Import(session.run, number, line)
			if err != nil {
				return wrongLine(number, err)
			}
			session.kept += uint64(verdict.Kept)
		}
		session.next = number + 1
	}
	return nil
}

// End finishes an import whose lines are all stored, and destroys its keys. It fails with Conflict where lines are missing, and with Unavailable where the
// journal is full or the database is away.
func (s *Service) End(ctx context.Context, id uint16) (Progress, error) {
	session, one, err := s.hold(ctx, id)
	if err != nil {
		return Progress{}, err
	}
	defer s.release(id, session)
	if one.State == Ended {
		return one.Progress, nil
	}
	if one.NextLine <= one.Lines {
		return Progress{}, fault.Conflictf("lines", "are not all stored: line %d is the next one, of %d", one.NextLine, one.Lines)
	}
	if err := s.Ingest.EndImport(id); err != nil {
		return Progress{}, fmt.Errorf("cannot end the import: %w", err)
	}
	if err := s.flush(ctx); err != nil {
		return Progress{}, err
	}
	if err := s.destroy(session, &one); err != nil {
		return Progress{}, err
	}
	one.State, one.Ended = Ended, s.Clock.Now().UTC().Truncate(time.Second)
	if err := s.records.save(ctx, one); err != nil {
		return Progress{}, err
	}
	s.Log.Info("an import has ended", "import", id, "lines", one.Lines, "kept", one.Kept)
	return one.Progress, nil
}

// List returns all imports by id.
func (s *Service) List(ctx context.Context) ([]Progress, error) {
	all, err := s.records.all(ctx)
	if err != nil {
		return nil, err
	}
	list := []Progress{}
	for _, one := range all {
		if s.tooOld(one, nil) && one.NextLine <= one.Lines {
			one.State = Expired // Tend is about to write it down
		}
		list = append(list, one.Progress)
	}
	return list, nil
}

// Tend destroys the keys of imports that are older than KeysFor. app calls it every minute.
func (s *Service) Tend(ctx context.Context) {
	all, err := s.records.all(ctx)
	if err != nil {
		s.Log.Error("cannot look for imports that are too old", "error", err)
		return
	}
	for _, one := range all {
		if one.keysAt.IsZero() {
			continue
		}
		if err := s.tend(ctx, one.ID); err != nil && fault.KindOf(err) != fault.NotFound {
			s.Log.Error("cannot destroy the keys of an import that is too old", "import", one.ID, "error", err)
		}
	}
}

func (s *Service) tend(ctx context.Context, id uint16) error {
	session, err := s.take(id)
	if err != nil {
		return nil // a chunk is under way; the next one is refused
	}
	defer s.release(id, session)
	one, err := s.records.get(ctx, id)
	if err != nil || !s.tooOld(one, session) {
		return err
	}
	return s.expire(ctx, session, &one)
}

// Close lets go of the keys, without destroying them: after a restart imports go on with them. It waits for commands that are under way, and later ones
// fail with Unavailable.
func (s *Service) Close() error {
	s.mu.Lock()
	s.closed = true
	open := maps.Clone(s.sessions)
	s.mu.Unlock()
	var errs []error
	for id, session := range open {
		session.mu.Lock()
		if session.run != nil {
			errs = append(errs, session.keys.Close())
			session.run, session.keys = nil, nil
		}
		s.release(id, session)
	}
	return errors.Join(errs...)
}

// flush waits until everything that was ingested is stored, within bounds.
func (s *Service) flush(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, flushFor)
	defer cancel()
	if err := s.Ship.Flush(ctx); err != nil {
		return fault.Unavailablef(err, "the database does not take events now")
	}
	return nil
}

func countLines(text []byte) uint64 {
	n := bytes.Count(text, []byte{'\n'})
	if len(text) > 0 && text[len(text)-1] != '\n' {
		n++
	}
	return uint64(n)
}
