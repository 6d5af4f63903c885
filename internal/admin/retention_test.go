package admin

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daysalt/daysalt/internal/fault"
)

// keeper answers what it was told to.
type keeper struct {
	report RetentionReport
	err    error
}

func (k keeper) Retention(context.Context) (RetentionReport, error) { return k.report, k.err }

func keeping(r Retention) *Client {
	s := NewSocket(Services{}, 396, time.Now, slog.New(slog.DiscardHandler))
	s.retentionRoutes(r)
	return Local(s)
}

func TestRetention(t *testing.T) {
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	want := RetentionReport{Classes: []RetentionClass{
		{Class: ClassEvents, Site: "shop.example", Days: 396, Items: 1 << 40, Oldest: at, Expires: at.Add(time.Hour), Overdue: 60},
		{Class: ClassSpool, Days: 7, MaxBytes: 1 << 40, Problem: "why"},
		{Class: ClassSealed},
	}}
	got, err := keeping(keeper{report: want}).Retention(t.Context())
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v: %s", err, diff)
	}
	got, err = keeping(keeper{err: fault.Unavailablef(errors.New("cause"), "not now")}).Retention(t.Context())
	if fault.KindOf(err) != fault.Unavailable || !strings.Contains(err.Error(), "not now") || got.Classes != nil {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := keeping(nil).Retention(t.Context()); err == nil {
		t.Error("a server that keeps nothing answers")
	}
}

// What is not there is left out, and what is 0 and means something is not.
func TestRetention_json(t *testing.T) {
	s := NewSocket(Services{}, 396, time.Now, slog.New(slog.DiscardHandler))
	s.retentionRoutes(keeper{report: RetentionReport{Classes: []RetentionClass{{Class: ClassSealed}}}})
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/retention", http.NoBody))
	if got, want := w.Body.String(), `{"classes":[{"class":"sealed","items":0,"overdue_seconds":0}]}`+"\n"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
