package importer

import (
	"context"
	"errors"
	"fmt"

	"github.com/daysalt/daysalt/internal/fault"
)

// Remove deletes what an import stored, and forgets it, so that the file can be imported again. It fails with NotFound for an unknown id, with Conflict where a chunk
// is under way, and with Unavailable where the rows are not gone in time; FinishRemovals goes on with that.
func (s *Service) Remove(ctx context.Context, id uint16) (Progress, error) {
	session, err := s.take(id)
	if err != nil {
		return Progress{}, err
	}
	defer s.release(id, session)
	one, err := s.records.get(ctx, id)
	if err != nil {
		return Progress{}, err
	}
	short, cancel := context.WithTimeout(ctx, removeFor)
	defer cancel()
	if err := s.remove(short, session, &one); err != nil {
		return Progress{}, fault.Unavailablef(err, "import %d is being removed; its events will be deleted as soon as the database answers", id)
	}
	return one.Progress, nil
}

// FinishRemovals goes on with removals that were interrupted. It takes as long as ctx lets it.
func (s *Service) FinishRemovals(ctx context.Context) error {
	all, err := s.records.all(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, one := range all {
		if one.State == Removing {
			errs = append(errs, s.finishRemoval(ctx, one.ID))
		}
	}
	return errors.Join(errs...)
}

func (s *Service) finishRemoval(ctx context.Context, id uint16) error {
	session, err := s.take(id)
	if err != nil {
		return nil // somebody removes it at this moment
	}
	defer s.release(id, session)
	one, err := s.records.get(ctx, id)
	if fault.KindOf(err) == fault.NotFound {
		return nil
	}
	if err != nil {
		return err
	}
	return s.remove(ctx, session, &one)
}

// remove deletes rows and record of an import that is taken. What is in the journal is stored first, or it would come back.
func (s *Service) remove(ctx context.Context, session *session, one *record) error {
	one.State = Removing
	if err := s.records.save(ctx, *one); err != nil {
		return err
	}
	if err := s.destroy(session, one); err != nil {
		return err
	}
	if err := s.Ingest.EndImport(one.ID); err != nil {
		return fmt.Errorf("cannot end the import: %w", err)
	}
	if err := s.Ship.Flush(ctx); err != nil {
		return fmt.Errorf("cannot wait for the import's events: %w", err)
	}
	if err := s.Rows.RemoveImport(ctx, one.ID); err != nil {
		return fmt.Errorf("cannot delete the import's events: %w", err)
	}
	if err := s.records.remove(ctx, one.ID); err != nil {
		return err
	}
	s.Log.Info("an import was removed", "import", one.ID)
	return nil
}
