package store_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/daysalt/daysalt/internal/event"
	"github.com/daysalt/daysalt/internal/store"
	"github.com/daysalt/daysalt/internal/testkit"
)

// drain answers inserts itself, so that what is measured is what comes before the engine.
type drain struct{ http.RoundTripper }

func (d drain) RoundTrip(r *http.Request) (*http.Response, error) {
	if !strings.HasPrefix(r.URL.Query().Get("query"), "INSERT INTO events") {
		return d.RoundTripper.RoundTrip(r)
	}
	piece := make([]byte, 256<<10)
	for {
		if _, err := r.Body.Read(piece); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
	}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
}

// Rows are inserted one block after the other, into the engine or to nowhere. Run with -benchtime 10s: cpu-ns/row is the processor time of
// the whole process, with the engine's threads and what it merged meanwhile; settled-cpu-ns/row also has the merges that were left to do.
func BenchmarkInsert(b *testing.B) {
	b.Run("way=nowhere", func(b *testing.B) { benchmarkInsert(b, openOn(b, drain{testkit.Engine(b).RoundTripper()})) })
	b.Run("way=engine", func(b *testing.B) { benchmarkInsert(b, open(b)) })
	b.Run("way=engine,fsync=0", func(b *testing.B) {
		s := open(b)
		ask(b, s, "ALTER TABLE events MODIFY SETTING fsync_after_insert = 0, fsync_part_directory = 0", nil)
		benchmarkInsert(b, s)
	})
}

func benchmarkInsert(b *testing.B, s *store.Store) {
	b.Helper()
	const size = 100_000
	g := newTraffic(1, 0.001)
	blocks := make([][]event.Row, 6)
	for i := range blocks {
		blocks[i] = decoded(b, g.rows(size))
	}
	var n int
	var used time.Duration
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		rows := blocks[n%len(blocks)]
		for i := range rows {
			rows[i].Visitor = rows[i].Visitor*6364136223846793005 + 1442695040888963407 // other visitors in every round
		}
		b.StartTimer()
		before := cpu()
		if err := s.Insert(b.Context(), fmt.Sprint("token ", n), rows); err != nil {
			b.Fatal(err)
		}
		used += cpu() - before
		n++
	}
	b.ReportMetric(float64(n*size)/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(float64(used.Nanoseconds())/float64(n*size), "cpu-ns/row")
	before := cpu()
	for idle := 0; idle < 10; idle++ {
		if ask(b, s, "SELECT toString(count()) FROM system.merges", nil)[0] != "0" {
			idle = 0
		}
		time.Sleep(50 * time.Millisecond)
	}
	used += cpu() - before
	b.ReportMetric(float64(used.Nanoseconds())/float64(n*size), "settled-cpu-ns/row")
}

// cpu is the processor time that this process has used, the engine's threads included.
func cpu() time.Duration {
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		panic(err)
	}
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}

// decoded returns rows whose texts stand in memory as ship's do: those of one event together.
func decoded(b *testing.B, rows []event.Row) []event.Row {
	b.Helper()
	var frame event.Frame
	var room []byte
	for i := range rows {
		room = event.AppendEvent(room[:0], &rows[i].Event)
		if err := frame.Decode(room, &rows[i].Event); err != nil {
			b.Fatal(err)
		}
	}
	return rows
}
