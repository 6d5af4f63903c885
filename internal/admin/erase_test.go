package admin_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daysalt/daysalt/internal/admin"
	"github.com/daysalt/daysalt/internal/fault"
)

// erasing answers what it was told to, and keeps what it was asked.
type erasing struct {
	report admin.EraseReport
	err    error
	asked  *admin.EraseRequest
}

func (e erasing) Erase(_ context.Context, r admin.EraseRequest) (admin.EraseReport, error) {
	*e.asked = r
	return e.report, e.err
}

func TestErase(t *testing.T) {
	e := erasing{asked: new(admin.EraseRequest), report: admin.EraseReport{
		Site: "shop.example", Events: 1 << 40, EntryPages: 2, Abuse: 3, Visits: 4, Quarantine: 5, Undecoded: 6, Segments: 7, NoKey: true, Since: 8, Searched: 9, Left: []string{"cuts"},
	}}
	client := func() *admin.Client {
		return admin.Local(admin.NewSocket(admin.Services{Sites: newRegistry(t), Erase: e}, 90, noon, slog.New(slog.DiscardHandler)))
	}
	for _, in := range []admin.EraseRequest{
		{Domain: "shop.example", Path: "/a*"},
		{Domain: "shop.example", Before: "2026-01-31"},
		{Domain: "shop.example", Today: &admin.EraseWhom{IP: "192.0.2.1", UA: strings.Repeat("Agent ", 1000)}},
	} {
		got, err := client().Erase(t.Context(), in)
		if diff := cmp.Diff(e.report, got) + cmp.Diff(in, *e.asked); err != nil || diff != "" {
			t.Errorf("%v: %s", err, diff)
		}
	}
	e.err = fault.Unavailablef(errors.New("cause"), "the database does not answer")
	if _, err := client().Erase(t.Context(), admin.EraseRequest{}); fault.KindOf(err) != fault.Unavailable || err.Error() != "the database does not answer" {
		t.Errorf("%v", err)
	}
}
