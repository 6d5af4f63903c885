package app

import (
	"context"
	"os"
	"runtime"
	"time"

	"github.com/daysalt/daysalt/internal/ship"
)

const (
	procsEvery = 100 * time.Millisecond
	// behindBytes of the journal that are not stored are more than a server that keeps up has, but for a very busy one.
	behindBytes = 8 << 20
	// calmLooks is how many looks in a row find nothing until the scheduler is narrow again: a second.
	calmLooks = 10
	// shippers is how many goroutines of the line have no pause while it catches up: one reads, one inserts.
	shippers = 2
)

// procs lets the Go scheduler run more threads than there are processors while shipping catches up. With as many as processors, the goroutines that read and
// insert hold two of them, requests wait for their turn of 10 ms, and nobody looks at the network; the kernel is a better judge of whose turn it is. When
// there is little to ship, threads beyond the processors only cost: 9 % of an event were seen.
type procs struct {
	stats func() ship.Stats
	set   func(wide bool)
	rows  uint64 // at the last look
	calm  int    // looks since there was much to ship; calmLooks: the scheduler is narrow
}

// look is to be called every procsEvery.
func (p *procs) look() {
	st := p.stats()
	busy := st.LagBytes >= behindBytes && st.Rows != p.rows // While the database is away much is behind, and nothing is shipped.
	p.rows = st.Rows
	switch {
	case busy && p.calm == calmLooks:
		p.set(true)
		fallthrough
	case busy:
		p.calm = 0
	case p.calm < calmLooks:
		if p.calm++; p.calm == calmLooks {
			p.set(false)
		}
	}
}

// tendProcs does so until ctx ends, unless somebody else decided how many threads there are.
func (a *App) tendProcs(ctx context.Context) error {
	if os.Getenv("GOMAXPROCS") != "" {
		return nil
	}
	p := &procs{stats: a.ship.Stats, set: widen, calm: calmLooks}
	defer widen(false)
	return every(ctx, procsEvery, p.look)
}

func widen(wide bool) {
	runtime.SetDefaultGOMAXPROCS()
	if wide {
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + shippers)
	}
}
