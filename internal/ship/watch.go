package ship

import (
	"context"
	"maps"
	"strconv"
	"sync"
	"time"
)

// Restarts is what a Sink may be too. Started says which server answered, and since when it runs, in unix seconds. A server that was known and runs since later than
// it did before may have lost what it had acknowledged and not yet made durable, and forgotten which tokens it has stored.
type Restarts interface {
	Started(ctx context.Context) (server string, unix int64, err error)
}

const (
	// restartMargin is how many seconds later than before a server must have been started to count as restarted: its start is computed from two clocks.
	restartMargin = 5
	askFor        = 10 * time.Second
)

// watch knows since when servers run. A flight looks too, so it is safe for concurrent use.
type watch struct {
	mu      sync.Mutex // guards what follows
	servers map[string]int64
	epoch   int    // how many restarts were seen
	last    string // which one was the last
	learned bool   // there is a server that no checkpoint knows
}

// look asks the sink whether its server was restarted, and returns how many restarts were seen by now.
func (w *watch) look(ctx context.Context, sink Sink) (epoch int, err error) {
	restarts, ok := sink.(Restarts)
	if !ok {
		return w.seen(), nil
	}
	ctx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	server, since, err := restarts.Started(ctx)
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		return w.epoch, err
	}
	before, known := w.servers[server]
	if !known && len(w.servers) >= maxServers {
		clear(w.servers) // They are new again, as they were once.
	}
	restarted := known && since > before+restartMargin
	if !known || restarted { // Else a server that starts again every few seconds would move the mark along.
		w.servers[server] = since
	}
	w.learned = w.learned || !known
	if restarted {
		w.epoch++
		w.last = server + " " + strconv.FormatInt(since, 10)
	}
	return w.epoch, nil
}

func (w *watch) seen() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.epoch
}

// restart returns which restart was the last one that was seen, "" for none.
func (w *watch) restart() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.last
}

// known returns what is known of the servers.
func (w *watch) known() map[string]int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.servers)
}

// set forgets the servers for these.
func (w *watch) set(servers map[string]int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.servers = maps.Clone(servers)
}

// hasLearned says whether there is a server that was not known when it was called last.
func (w *watch) hasLearned() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	learned := w.learned
	w.learned = false
	return learned
}

// ask asks the sink whether its server was restarted since the line went back last. Where that is not known, nothing is released that was kept for it.
func (s *Shipper) ask(ctx context.Context) (restarted bool) {
	restarted, _ = s.askNow(ctx) // It is logged there.
	return restarted
}

// askNow is ask, with the reason where it is not known.
func (s *Shipper) askNow(ctx context.Context) (restarted bool, err error) {
	asked := s.cfg.Now()
	epoch, err := s.watch.look(ctx, s.sink)
	s.learn()
	switch {
	case epoch != s.epoch:
		return true, nil
	case err == nil:
		s.askBroken, s.verified = false, asked
	case !s.askBroken:
		s.askBroken = true
		s.log.Warn("cannot ask since when the database runs, trying again", "error", err)
	}
	return false, err
}

// learn has a checkpoint written soon where there is a server that none knows: before, a restart of it would not be noticed by the next Shipper.
func (s *Shipper) learn() {
	if s.watch.hasLearned() {
		s.dirty, s.checkDue = true, true
	}
}
