package admin

import (
	"context"
	"net/http"
)

// Erase is what the socket may erase.
type Erase interface {
	// Erase fails with Invalid for a request that cannot be, and with Unavailable where the database is away: nothing was erased then, or it can be called again.
	Erase(ctx context.Context, r EraseRequest) (EraseReport, error)
}

// EraseRequest says which events of a site are to be erased. Exactly one of Before, Path and Today is set.
type EraseRequest struct {
	Domain string     `json:"domain"`
	Before string     `json:"before,omitempty"` // YYYY-MM-DD: the days before it, as the site counts them
	Path   string     `json:"path,omitempty"`   // of a page, or how such paths begin, with a * behind it
	Today  *EraseWhom `json:"today,omitempty"`  // what somebody did today
}

// EraseWhom is a visitor. It is used to compute the visitor number, and kept nowhere.
type EraseWhom struct {
	IP string `json:"ip"`
	UA string `json:"ua"`
}

// EraseReport says what was erased and where it was looked for afterwards.
type EraseReport struct {
	Site       string   `json:"site"`
	Events     uint64   `json:"events"`            // deleted from the database
	EntryPages uint64   `json:"entry_pages"`       // events of other pages whose visit began on the page, which they no longer say
	Abuse      uint64   `json:"abuse"`             // rows of masked addresses that were deleted
	Visits     int      `json:"visits"`            // open visits that were forgotten, or no longer say where they began
	Quarantine int      `json:"quarantine"`        // lines of the quarantine that were deleted
	Undecoded  int      `json:"quarantine_unread"` // lines of the quarantine that stay, because nobody can tell whose they are
	Segments   int      `json:"segments"`          // files of the journal that were deleted
	NoKey      bool     `json:"no_key"`            // this server has no key of today in use, so nothing was looked for
	Since      uint64   `json:"since"`             // events that came while it was erased; they are not erased
	Searched   int      `json:"searched"`          // files that were searched afterwards
	Left       []string `json:"left"`              // where something was found that should be gone
}

// eraseRoutes takes the command. e may be nil.
func (s *Socket) eraseRoutes(e Erase) {
	if e == nil {
		return
	}
	s.mux.HandleFunc("POST /erase", func(w http.ResponseWriter, r *http.Request) {
		var in EraseRequest
		if !s.read(w, r, &in) {
			return
		}
		report, err := e.Erase(r.Context(), in)
		if err != nil {
			s.fail(w, err)
			return
		}
		s.answer(w, http.StatusOK, report)
	})
}
