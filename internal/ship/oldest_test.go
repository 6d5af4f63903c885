package ship

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestOldest(t *testing.T) {
	bubble(t, func(t *testing.T, l *line) {
		t.Helper()
		l.start()
		f := func(what string, want Oldest) {
			t.Helper()
			if got, err := l.s.Oldest(); err != nil || got != want {
				t.Errorf("%s: %+v, %v; want %+v", what, got, err, want)
			}
		}
		f("nothing", Oldest{})
		l.append(numbered(0, 1)...)
		first := time.Now().UTC().Truncate(time.Second)
		l.flush()
		f("all is stored, in a segment that goes on", Oldest{})
		time.Sleep(time.Hour)
		if _, err := l.j.Roll(); err != nil {
			t.Fatal(err)
		}
		l.append(numbered(1, 1)...)
		l.flush()
		f("a segment is kept", Oldest{Kept: first})
		l.down(errors.New("no connection"))
		l.append(numbered(2, 1)...)
		synctest.Wait()
		f("something is not stored, in a segment that was made ahead", Oldest{Kept: first, Spool: first})
		l.down(nil)
		if err := l.j.Append([]byte("\xffno frame")); err != nil {
			t.Fatal(err)
		}
		l.flush()
		f("the quarantine", Oldest{Kept: first, Quarantine: time.Now().UTC().Truncate(24 * time.Hour)})
		l.end()
	})
}
