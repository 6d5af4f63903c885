package admin

import (
	"context"
	"net/http"
	"time"
)

// Retention is what the socket may ask about how long data is kept.
type Retention interface {
	Retention(ctx context.Context) (RetentionReport, error)
}

// RetentionReport says of every class of data how long it is kept, and what there is of it.
type RetentionReport struct {
	Classes []RetentionClass `json:"classes"`
}

// RetentionClass is one class of data; of events there is one for each site.
type RetentionClass struct {
	Class    string    `json:"class"`               // one of the Class constants
	Site     string    `json:"site,omitempty"`      // of events: its domain; "" for events of sites that were removed
	Days     int       `json:"days,omitempty"`      // it is kept for so long at most; 0 for without end
	MaxBytes int64     `json:"max_bytes,omitempty"` // it takes so much room at most; 0 for without limit
	Items    uint64    `json:"items"`               // rows that there are; of the spool, bytes; of the rest it is not told
	Oldest   time.Time `json:"oldest,omitzero"`     // of the oldest; zero where there is none. Of events it is a date.
	Expires  time.Time `json:"expires,omitzero"`    // when the first that there is has to go; zero where nothing has to
	Overdue  int64     `json:"overdue_seconds"`     // since when that should be gone; 0 where nothing is overdue
	Problem  string    `json:"problem,omitempty"`   // why it is not known what there is
}

// Classes of data.
const (
	ClassEvents     = "events"
	ClassAbuse      = "abuse"
	ClassSpool      = "spool"         // events in the journal that are not stored yet
	ClassKept       = "kept_segments" // files of the journal that are stored, and kept to be sent again should the database have lost them
	ClassQuarantine = "quarantine"    // events that could not be stored, for somebody to look at
	ClassSealed     = "sealed"        // totals of days that are over
)

// retentionRoutes registers what a server answers that keeps data.
func (s *Socket) retentionRoutes(r Retention) {
	if r == nil {
		return
	}
	s.mux.HandleFunc("GET /retention", func(w http.ResponseWriter, request *http.Request) {
		report, err := r.Retention(request.Context())
		if err != nil {
			s.fail(w, err)
			return
		}
		s.answer(w, http.StatusOK, report)
	})
}
