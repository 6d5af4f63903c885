package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/daysalt/daysalt/internal/engine"
	"github.com/daysalt/daysalt/internal/load"
)

// openEngine opens a server's database once the server is gone.
func (b *Bench) openEngine(dir string) (*engine.Engine, error) {
	return engine.Open(engine.Config{Library: b.cfg.Library, DataDir: dir, MemoryBytes: b.cfg.Memory, Threads: b.cfg.Threads}, nil)
}

// asker asks an engine in ClickHouse's own language.
type asker struct {
	transport http.RoundTripper
	database  string
}

// ask returns the whole answer.
func (a *asker) ask(ctx context.Context, sql string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://embedded/?database="+a.database, strings.NewReader(sql))
	if err != nil {
		return nil, fmt.Errorf("cannot ask the database: %w", err)
	}
	answer, err := a.transport.RoundTrip(r)
	if err != nil {
		return nil, fmt.Errorf("cannot ask the database: %w", err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = errors.New(strings.TrimSpace(string(text)))
	}
	if err != nil {
		return nil, fmt.Errorf("cannot ask the database: %w", err)
	}
	return text, nil
}

// table returns an answer's fields.
func (a *asker) table(ctx context.Context, sql string) ([][]string, error) {
	text, err := a.ask(ctx, sql+" FORMAT TabSeparated")
	if err != nil {
		return nil, err
	}
	var all [][]string
	for line := range strings.Lines(string(text)) {
		all = append(all, strings.Split(strings.TrimSuffix(line, "\n"), "\t"))
	}
	return all, nil
}

// number returns the one number of an answer.
func (a *asker) number(ctx context.Context, sql string) (int, error) {
	got, err := a.table(ctx, sql)
	if err != nil {
		return 0, err
	}
	if len(got) != 1 || len(got[0]) != 1 {
		return 0, errors.New("cannot ask the database: the answer is no number")
	}
	n, err := strconv.Atoi(got[0][0])
	if err != nil {
		return 0, fmt.Errorf("cannot ask the database: %w", err)
	}
	return n, nil
}

// idSlices is how many answers the ids are asked for in: an answer is in memory as a whole.
const idSlices = 8

// ids yields the ids of all stored events; one that is none comes as 0.
func (a *asker) ids(ctx context.Context, yield func(id uint64)) error {
	for i := range idSlices {
		got, err := a.ask(ctx, fmt.Sprintf("SELECT prop_values[indexOf(prop_keys, 'id')] FROM events WHERE visitor %% %d = %d FORMAT TabSeparated", idSlices, i))
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(got)) {
			id, _ := load.ParseID(strings.TrimSuffix(line, "\n"))
			yield(id)
		}
	}
	return nil
}

// fate is what is known of an event.
type fate uint8

const (
	accepted fate = 1 << iota
	unknown
	stored
	again // stored more than once
)

// book has the fates of the events of one server.
type book struct {
	seed  uint64
	fates []fate // of the generator's events, by number

	sent, accepted int    // of wrk, which notes no ids
	wrkStored      int    // rows of those
	wrkFates       []fate // by place of the id; see wrk
	foreign        int    // rows whose id nobody made
}

func newBook(seed uint64) *book { return &book{seed: seed} }

// add notes what the driver knows.
func (b *book) add(r load.Result) {
	for _, id := range r.Accepted {
		*b.at(id) |= accepted
	}
	for _, id := range r.Unknown {
		*b.at(id) |= unknown
	}
}

// at returns the place of an event of the generator's.
func (b *book) at(id uint64) *fate {
	n := int(load.NumberOf(id))
	if over := n + 1 - len(b.fates); over > 0 {
		b.fates = append(b.fates, make([]fate, over)...)
	}
	return &b.fates[n]
}

// store notes a row.
func (b *book) store(id uint64) {
	number, seed := load.NumberOf(id), load.SeedOf(id)
	switch {
	case seed == seedBits(b.seed) && number > 0 && number < uint64(len(b.fates)):
		b.fates[number].store()
	case b.sent > 0 && seed == seedBits(b.seed+1) && wrkPlace(number) < maxWrk:
		b.wrkStored++
		place := wrkPlace(number)
		if over := place + 1 - len(b.wrkFates); over > 0 {
			b.wrkFates = append(b.wrkFates, make([]fate, over+over/2)...)
		}
		b.wrkFates[place].store()
	default:
		b.foreign++
	}
}

func (f *fate) store() {
	if *f&stored != 0 {
		*f |= again
	}
	*f |= stored
}

func seedBits(seed uint64) uint64 { return seed & (1<<24 - 1) }

// check asks the database which events it has, and how often.
func (b *book) check(ctx context.Context, q *asker, run *Run) error {
	rows := 0
	if err := q.ids(ctx, func(id uint64) { rows++; b.store(id) }); err != nil {
		return err
	}
	all, err := q.number(ctx, "SELECT count() FROM events")
	if err != nil {
		return err
	}
	if all != rows {
		return fmt.Errorf("cannot check what is stored: the database has %d events and shows %d", all, rows)
	}
	v := b.verdict()
	run.Stored, run.Lost, run.Duplicated, run.Unexpected = &rows, &v.lost, &v.duplicated, &v.unexpected
	return nil
}

// verdict is what is wrong: events that were accepted and are not stored; that are stored more than once; and rows of none that can have been kept.
type verdict struct{ lost, duplicated, unexpected int }

func (b *book) verdict() verdict {
	v := verdict{unexpected: b.foreign}
	for _, f := range b.fates {
		switch {
		case f&accepted != 0 && f&stored == 0:
			v.lost++
		case f&stored != 0 && f&(accepted|unknown) == 0:
			v.unexpected++
		}
		if f&again != 0 {
			v.duplicated++
		}
	}
	distinct := 0
	for _, f := range b.wrkFates {
		if f&stored != 0 {
			distinct++
		}
		if f&again != 0 {
			v.duplicated++
		}
	}
	v.lost += max(0, b.accepted-distinct)
	v.unexpected += max(0, distinct-b.sent)
	return v
}
