package ship

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/daysalt/daysalt/internal/event"
)

// inMonths returns marked events of two months.
func inMonths(n int, poison ...int) []event.Event {
	events := marked(n, poison...)
	for i := range events {
		if i%5 == 3 {
			events[i].Day += 31
		}
	}
	return events
}

// The power is cut behind an insert that was not acknowledged, and what it loses and what it forgets are not the same. A Shipper that sends again dies at
// each step there is, and the next one too; in the end everything is stored once.
func TestAgain_atEveryStep(t *testing.T) {
	f := func(parts, tokens int, reboot bool) (known uint64) {
		t.Helper()
		steps := 0
		for dies, alive := 1, false; !alive; dies++ {
			bubble(t, func(t *testing.T, l *line) {
				t.Helper()
				l.cfg.BatchRows, l.cfg.CheckpointEvery, l.cfg.BootID = 4, 5*time.Second, "first"
				events := inMonths(40, 5, 17)
				d := newDatabase(t)
				d.poison = refuse
				l.startWith(d)
				l.append(events[:12]...)
				l.flush()
				time.Sleep(8 * time.Second) // A checkpoint follows,
				l.append(events[12:28]...)
				l.flush()
				d.set(func() error { runtime.Goexit(); return nil }) // and a batch that is stored without an answer.
				l.append(events[28:30]...)
				<-l.dead
				d.after = nil

				if d.cut(time.Hour, parts, tokens); reboot {
					d.started, l.cfg.BootID = 1000, "second"
				}
				n := 0
				die := func() error {
					if n++; n == dies {
						runtime.Goexit()
					}
					return nil
				}
				d.before, d.after, l.failpoint = die, die, func(string) { _ = die() }
				l.cfg.CheckpointEvery = 1 // between any two batches
				l.startWith(d)
				l.append(events[30:]...)
				_ = l.s.Flush(t.Context()) // It ends when the Shipper does.
				l.stop()
				<-l.dead
				alive = l.err == nil
				known, steps = max(known, l.s.Stats().Known), n
				d.before, d.after, l.failpoint = nil, nil, nil
				switch dies % 4 { // Once more.
				case 1:
					d.cut(time.Hour, 0, tokens)
				case 2:
					d.cut(time.Hour, parts, 0)
				}
				for range 2 {
					l.startWith(d)
					l.flush()
					l.end()
				}
				l.checkStored(d, events)
				if l.s.again.id != "" {
					t.Errorf("it does not end: %+v at %+v", l.s.again, l.s.pos)
				}
				if t.Failed() {
					t.Fatalf("%d parts, %d tokens, died at step %d", parts, tokens, dies)
				}
			})
		}
		if steps < 50 {
			t.Errorf("only %d steps to die at", steps)
		}
		return known
	}
	if known := f(3, 7, true); known == 0 {
		t.Error("nothing was found")
	}
	f(7, 3, false)
}

// A batch that was stored under a token which was then forgotten is not sent again before it is known whether the database was restarted.
func TestAgain_beforeASecondAttempt(t *testing.T) {
	f := func(what string, keep time.Duration, spoil func(d *database, attempt int)) {
		t.Helper()
		bubble(t, func(t *testing.T, l *line) {
			t.Helper()
			l.cfg.Keep = keep
			d := newDatabase(t)
			l.startWith(d)
			events := inMonths(12)
			l.append(events[:4]...)
			l.flush()
			time.Sleep(time.Minute)
			n := 0
			d.set(func() error {
				n++
				spoil(d, n)
				if n < 3 {
					return errors.New("the connection broke")
				}
				return nil
			})
			l.append(events[4:]...)
			l.flush()
			l.end()
			l.checkStored(d, events)
			if what != "" && !strings.Contains(l.logs.String(), what) {
				t.Errorf("the log does not have %q: %s", what, l.logs)
			}
		})
	}
	// The lock of d is held.
	restart := func(d *database) { d.tokens, d.started = nil, d.started+100 }
	f("goes back", 0, func(d *database, attempt int) {
		if attempt == 1 {
			restart(d)
		}
	})
	f("goes back", 0, func(d *database, attempt int) {
		if attempt == 2 {
			restart(d)
		}
	})
	f("looked for", -1, func(d *database, attempt int) { // There is nothing to go back to.
		if attempt == 1 {
			restart(d)
		}
	})
	f("cannot ask since when", 0, func(d *database, attempt int) {
		if attempt > 1 {
			return
		}
		restart(d)
		asked := 0
		d.before = func() error { // It is away, and then nobody can say.
			if asked++; asked < 20 {
				return errors.New("no answer")
			}
			return nil
		}
	})
}

// While it cannot be asked whether it was restarted, nothing is sent to it that may have been sent before.
func TestAgain_sendsNothingInDoubt(t *testing.T) {
	bubble(t, func(t *testing.T, l *line) {
		t.Helper()
		d := &mute{database: newDatabase(t)}
		l.startWith(d)
		events := numbered(0, 6)
		l.append(events[:3]...)
		l.flush()
		time.Sleep(time.Minute)
		d.set(func() error { runtime.Goexit(); return nil })
		l.append(events[3:]...)
		<-l.dead
		d.after = nil
		d.cut(time.Hour, 0, 100)
		d.silent = true
		calls := len(d.calls)
		l.startWith(d)
		time.Sleep(time.Hour)
		if st := l.s.Stats(); len(d.calls) != calls || st.Retries < 100 {
			t.Errorf("it was sent %q; %+v", d.calls[calls:], st)
		}
		d.mu.Lock()
		d.silent = false
		d.mu.Unlock()
		l.flush()
		if st := l.s.Stats(); len(d.calls) != calls || st.Known != 6 {
			t.Errorf("it was sent %q; %+v", d.calls[calls:], st)
		}
		l.end()
		l.checkStored(d.database, events)
	})
}

// Where everything holds, nothing is looked for: neither after a kill nor after a clean stop.
func TestAgain_onlyAfterARestart(t *testing.T) {
	bubble(t, func(t *testing.T, l *line) {
		t.Helper()
		l.cfg.BootID = "first"
		d := newDatabase(t)
		events := numbered(0, 20)
		for i := range 4 {
			if i < 2 {
				d.after = func() error { runtime.Goexit(); return nil }
			}
			l.startWith(d)
			l.append(events[5*i : 5*i+5]...)
			if i < 2 {
				<-l.dead
				d.after = nil
				continue
			}
			l.flush()
			l.end()
		}
		l.checkStored(d, events)
		if d.probes != 0 {
			t.Errorf("it was asked %d times what it has", d.probes)
		}
	})
}

// Rows that cannot be looked for go out under their old token, and the others of their batch do not.
func TestAgain_rowsWithoutAKey(t *testing.T) {
	bubble(t, func(t *testing.T, l *line) {
		t.Helper()
		d := newDatabase(t)
		l.startWith(d)
		events := inMonths(10)
		for i := range events {
			if events[i].Day > 20_020 {
				events[i].Visitor = 0
			}
		}
		l.append(events...)
		l.flush()
		d.cut(time.Hour, 0, 0)
		time.Sleep(time.Minute)
		l.end()
		l.checkStored(d, events)
		if n := len(d.calls); n != 2 || d.calls[0] != d.calls[1] || l.s.Stats().Known != 8 {
			t.Errorf("sent as %q; %+v", d.calls, l.s.Stats())
		}
	})
}

// What is lost is sent under new tokens, another one for each month and each restart.
func TestAgain_tokens(t *testing.T) {
	bubble(t, func(t *testing.T, l *line) {
		t.Helper()
		d := newDatabase(t)
		l.startWith(d)
		events := inMonths(10)
		l.append(events...)
		l.flush()
		for range 3 {
			d.cut(time.Hour, 100, 0)
			time.Sleep(time.Minute)
		}
		l.end()
		l.checkStored(d, events)
		tokens := slices.Compact(slices.Sorted(slices.Values(d.calls)))
		for _, token := range tokens {
			if !strings.HasPrefix(token, tokens[0]) {
				t.Errorf("%s does not begin with %s", token, tokens[0])
			}
		}
		if len(tokens) != 7 || len(d.calls) != 7 {
			t.Errorf("sent as %q", d.calls)
		}
	})
}

// Where the checkpoint and all bases are lost, nobody knows whether there was a restart: what is there is found by its rows, or else by its token.
func TestAgain_withoutAnyCheckpoint(t *testing.T) {
	for _, forgets := range []int{0, 100} {
		bubble(t, func(t *testing.T, l *line) {
			t.Helper()
			l.cfg.BatchRows, l.cfg.BootID = 4, "first"
			d := newDatabase(t)
			l.startWith(d)
			events := inMonths(24)
			l.append(events...)
			l.flush()
			l.end()
			l.removeCheckpoints()
			d.cut(0, 0, forgets)
			l.startWith(d)
			l.flush()
			l.end()
			l.checkStored(d, events)
		})
	}
}

// Where boots have no id, what was recorded is looked for at every start: the machine may have been booted.
func TestAgain_whereBootsHaveNoID(t *testing.T) {
	bubble(t, func(t *testing.T, l *line) {
		t.Helper()
		d := newDatabase(t)
		d.after = func() error { runtime.Goexit(); return nil }
		events := numbered(0, 6)
		l.append(events...)
		l.startWith(d)
		<-l.dead
		d.after, d.tokens = nil, nil
		l.startWith(d)
		l.flush()
		l.end()
		if l.checkStored(d, events); l.s.Stats().Known != 6 {
			t.Errorf("%+v", l.s.Stats())
		}
	})
}

// Without any checkpoint a visit that began in a segment that is gone begins anew: its rows are not found, and their old token has to say that they are there.
func TestAgain_withoutTheBeginning(t *testing.T) {
	bubble(t, func(t *testing.T, l *line) {
		t.Helper()
		l.cfg.Keep, l.cfg.BatchRows, l.cfg.BootID = -1, 10, "first"
		d := newDatabase(t)
		l.startWith(d)
		events := numbered(0, 300)
		for i := range events {
			events[i].Visitor = 1
		}
		l.append(events...)
		l.flush()
		l.end()
		if oldest := l.j.Stats().Oldest; oldest < 2 {
			t.Fatal("nothing was released")
		}
		l.removeCheckpoints()
		l.startWith(d)
		l.flush()
		l.end()
		if l.checkStored(d, events); d.probes == 0 {
			t.Error("nothing was looked for")
		}
	})
}

// A clean stop leaves a checkpoint with which the next start sends nothing again, also where nothing was ever read; and the base of then serves after a reboot.
func TestStop_leavesAUsableCheckpoint(t *testing.T) {
	bubble(t, func(t *testing.T, l *line) {
		t.Helper()
		l.cfg.BootID = "first"
		d := newDatabase(t)
		events := numbered(0, 4)
		for i, more := range [][]event.Event{nil, nil, events[:2], nil, nil, events[2:], nil} {
			l.startWith(d)
			time.Sleep(20 * time.Second)
			if l.append(more...); len(more) > 0 {
				l.flush()
			}
			if i == 3 {
				time.Sleep(5 * time.Hour) // The journal ends its segment.
			}
			l.end()
			l.closeJournal()
			l.openJournal()
		}
		if l.checkStored(d, events); len(d.calls) != 2 || strings.Contains(l.logs.String(), "WARN") {
			t.Errorf("sent %q; log: %s", d.calls, l.logs)
		}
	})
	bubble(t, func(t *testing.T, l *line) {
		t.Helper()
		l.cfg.BootID = "first"
		d := newDatabase(t)
		l.startWith(d)
		time.Sleep(20 * time.Second)
		events := numbered(0, 4)
		l.append(events...)
		l.flush()
		l.end()
		d.cut(time.Hour, 100, 100)
		l.cfg.BootID = "second"
		l.startWith(d)
		l.flush()
		l.end()
		l.checkStored(d, events)
	})
	// The checkpoint of a start without events says nothing of a journal whose beginning is gone.
	bubble(t, func(t *testing.T, l *line) {
		t.Helper()
		s := l.make()
		defer func() { _ = s.Close() }()
		l.append(numbered(0, 100)...)
		if err := os.Remove(filepath.Join(l.dir, "journal", "00000000000000000001.seg")); err != nil {
			t.Fatal(err)
		}
		if err := s.fits(&checkpoint{}); err != nil {
			t.Error(err)
		}
		l.closeJournal()
		l.openJournal()
		if err := (&Shipper{j: l.j}).fits(&checkpoint{}); !errors.Is(err, errGone) {
			t.Error(err)
		}
	})
}

// mute is a database that may not answer since when it runs.
type mute struct {
	*database
	silent bool
}

func (m *mute) Started(ctx context.Context) (string, int64, error) {
	m.mu.Lock()
	silent := m.silent
	m.mu.Unlock()
	if silent {
		return "", 0, errors.New("no answer")
	}
	return m.database.Started(ctx)
}

// A database that ends with this process may know the token of the batch that was under way, and have none of its rows. It happens again in the next process.
func TestAgain_local(t *testing.T) {
	bubble(t, func(t *testing.T, l *line) {
		t.Helper()
		l.cfg.Local, l.cfg.BootID = true, "first"
		d := newDatabase(t)
		d.started = -1_000_000 // It says that it was never restarted.
		events := numbered(0, 20)
		l.startWith(d)
		l.append(events[:10]...)
		l.flush()
		for i := range 2 {
			d.after = func() error { runtime.Goexit(); return nil }
			l.append(events[10+5*i : 15+5*i]...)
			if i > 0 {
				l.startWith(d)
			}
			<-l.dead
			d.after = nil
			d.parts = d.parts[:len(d.parts)-1]
		}
		l.startWith(d)
		l.flush()
		l.end()
		l.checkStored(d, events)
		l.startWith(d)
		probes := d.probes
		l.end()
		if probes == 0 || d.probes != probes {
			t.Errorf("it was asked %d times, and %d more after a clean stop", probes, d.probes-probes)
		}
	})
}
