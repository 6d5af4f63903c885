package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/daysalt/daysalt/internal/event"
)

// ErasedPage stands where the page was that a visit began with, when that page was erased and the visit has others.
const ErasedPage = "{erased}"

// Erasure says which events of a site are erased: those of the days before Before, those of a path, or those of a visitor on a day. Only one of them is set.
type Erasure struct {
	SiteID uint32

	Before     event.Day // 0: not by day
	BeforeUnix int64     // when Before begins on the site, in unix seconds; masked addresses are older or stay

	Path   string // "": not by path
	Prefix bool   // Path is how they begin

	Visitor uint64 // 0: not by visitor
	Day     event.Day
}

// Matches says whether an event is one of them. It says the same as the database does of the event's row.
func (e *Erasure) Matches(of *event.Event) bool {
	switch {
	case of.SiteID != e.SiteID:
		return false
	case e.Before > 0:
		return of.Day < e.Before
	case e.Path == "":
		return of.Visitor == e.Visitor && of.Day == e.Day && e.Visitor != 0
	case e.MatchesPage(of.Path):
		return true
	}
	for i, key := range of.PropKeys {
		if key == "path" {
			return e.MatchesPage(of.PropValues[i])
		}
	}
	return false
}

// MatchesPage says whether a path is of the erasure, which is one by path.
func (e *Erasure) MatchesPage(path string) bool {
	if e.Path == "" {
		return false
	}
	return path == e.Path || e.Prefix && strings.HasPrefix(path, e.Path)
}

// where returns the condition of the rows, and what is bound in it.
func (e *Erasure) where() (sql string, params map[string]string) {
	of := fmt.Sprintf("site_id = %d AND ", e.SiteID)
	switch {
	case e.Before > 0:
		return fmt.Sprintf("%sday < toDate(%d)", of, e.Before), nil
	case e.Path == "":
		return fmt.Sprintf("%svisitor = %d AND day = toDate(%d) AND visitor != 0", of, e.Visitor, e.Day), nil
	}
	return fmt.Sprintf("%s(%s OR has(prop_keys, 'path') AND %s)", of, e.page("path"), e.page("prop_values[indexOf(prop_keys, 'path')]")), map[string]string{"path": e.Path}
}

func (e *Erasure) page(column string) string {
	if e.Prefix {
		return "startsWith(" + column + ", {path:String})"
	}
	return column + " = {path:String}"
}

// ErasedRows is what Erase did in the database.
type ErasedRows struct {
	Events  uint64 // rows deleted
	Entries uint64 // rows of other pages whose entry page was changed
	Abuse   uint64 // rows of masked addresses deleted
	Left    uint64 // rows of before since that are still there
	Since   uint64 // rows that came meanwhile: of since or later
}

// Erase deletes the rows of an erasure from the disk too, and changes the entry page of those that stay. Then it counts what is left: rows whose time is before since, in unix seconds, and
// those that came meanwhile. Everything that was appended to the journal before has to be stored by then. It may be called again after an error.
func (s *Store) Erase(ctx context.Context, e *Erasure, since int64) (done ErasedRows, err error) {
	where, params := e.where()
	if done.Events, err = s.countRows(ctx, "events", where, params); err != nil {
		return done, deletionFault("cannot count events", err)
	}
	entries := ""
	if e.Path != "" {
		entries = fmt.Sprintf("site_id = %d AND %s AND NOT (%s)", e.SiteID, e.page("entry_page"), where)
		if err := s.settle(ctx, "events"); err != nil {
			return done, err
		}
		if done.Entries, err = s.countRows(ctx, "events", entries, params); err == nil && done.Entries > 0 {
			err = s.mutate(ctx, "ALTER TABLE events UPDATE entry_page = '"+ErasedPage+"' WHERE "+entries, params)
		}
		if err != nil {
			return done, deletionFault("cannot change entry pages", err)
		}
	}
	if err := s.deleteRows(ctx, "events", where, params); err != nil {
		return done, err
	}
	if e.Before > 0 {
		old := fmt.Sprintf("site_id = %d AND minute < toDateTime(%d, 'UTC')", e.SiteID, max(e.BeforeUnix, 0))
		if done.Abuse, err = s.countRows(ctx, "abuse", old, nil); err != nil {
			return done, deletionFault("cannot count masked addresses", err)
		}
		if err := s.deleteRows(ctx, "abuse", old, nil); err != nil {
			return done, err
		}
	}
	if entries != "" {
		where = "((" + where + ") OR (" + entries + "))"
	}
	err = s.countLeft(ctx, &done, where, params, since)
	return done, err
}

// countLeft fills in what is left of the rows for which where holds.
func (s *Store) countLeft(ctx context.Context, done *ErasedRows, where string, params map[string]string, since int64) error {
	for _, count := range []struct {
		of *uint64
		is string
	}{{&done.Left, "<"}, {&done.Since, ">="}} {
		n, err := s.countRows(ctx, "events", fmt.Sprintf("%s AND ts %s toDateTime(%d, 'UTC')", where, count.is, max(since, 0)), params)
		if err != nil {
			return deletionFault("cannot count events", err)
		}
		*count.of = n
	}
	return nil
}
