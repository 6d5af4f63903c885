//go:build testclock

package app

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/daysalt/daysalt/internal/ingest"
	"github.com/daysalt/daysalt/internal/web"
)

// commands are what the admin socket takes, and what tests need: to set the clock, and to see what is on the heap.
func (a *App) commands() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", a.socket)
	mux.HandleFunc("PUT /clock", func(w http.ResponseWriter, r *http.Request) {
		var to struct {
			Wall time.Time     `json:"wall"`
			Boot time.Duration `json:"boot"` // more than now, nanoseconds
		}
		if err := json.NewDecoder(r.Body).Decode(&to); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if to.Wall.IsZero() {
			to.Wall = a.now()
		}
		a.clock.Set(to.Wall, to.Boot)
	})
	// The dump is written when the connection that asks for it is over, and complete when it has its name: a pooled buffer of the connection
	// may hold anything.
	mux.HandleFunc("PUT /heap", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close")
		name := r.URL.Query().Get("file")
		time.AfterFunc(time.Second, func() { dumpHeap(name) })
	})
	return mux
}

// dumpHeap writes what is reachable. What a pool keeps for the next request is dropped by the second collection.
func dumpHeap(name string) {
	f, err := os.OpenFile(name+".part", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		panic(err)
	}
	for range 3 {
		runtime.GC()
	}
	debug.WriteHeapDump(f.Fd())
	if err := errors.Join(f.Close(), os.Rename(name+".part", name)); err != nil {
		panic(err)
	}
}

// hits is what takes hits, and panics with everything it knows of a hit that says so.
func (a *App) hits() web.Ingester { return panicking{a.ingest} }

type panicking struct{ *ingest.Ingester }

func (p panicking) Ingest(h *ingest.Hit) (ingest.Verdict, error) {
	if strings.Contains(string(h.Body), "please-panic") {
		// One long text: a short one would share its place on the heap with texts that stay.
		said := append(make([]byte, 0, 4096), h.Agent...)
		panic(string(append(h.Address.AppendTo(append(said, " from "...)), h.Body...)))
	}
	return p.Ingester.Ingest(h)
}
