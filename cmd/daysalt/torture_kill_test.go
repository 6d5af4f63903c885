package main

import (
	"math/rand/v2"
	"testing"
	"time"
)

// kill -9 of the server at full load, again and again on the same data.
func TestTorture_kill(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	accepted := 0
	for range killRounds {
		r.start()
		f := r.load(0)
		time.Sleep(killAfter/2 + rand.N(killAfter))
		r.server.kill()
		accepted += len(f.end().Accepted)
	}
	r.start()
	replay := r.drained()
	o := r.settle()
	t.Logf("seed %d: kill -9 at full load, %d rounds, about %d events each: %v; the last replay took %v",
		r.seed, killRounds, accepted/killRounds, o, replay.Round(time.Millisecond))
}

// SIGTERM under load: the server ends by itself and with success, and what it did not get done is shipped after the next start.
func TestTorture_stop(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	slowestStop := time.Duration(0)
	for range stopRounds {
		r.start()
		f := r.load(stopRate)
		time.Sleep(100*time.Millisecond + rand.N(400*time.Millisecond))
		began := time.Now()
		if code := r.server.stop(); code != 0 {
			t.Errorf("exit code %d", code)
		}
		slowestStop = max(slowestStop, time.Since(began))
		f.end()
	}
	r.start()
	o := r.settle()
	t.Logf("seed %d: SIGTERM under load, %d rounds: %v; the slowest stop took %v", r.seed, stopRounds, o, slowestStop.Round(time.Millisecond))
}

// The server and the database, each in a process of its own, are killed and started again while load goes on, in any order.
func TestTorture_killBoth(t *testing.T) {
	t.Parallel()
	r := newRig(t).withDatabase()
	r.start()
	f := r.load(stallRate)
	for range databaseKills {
		time.Sleep(200*time.Millisecond + rand.N(time.Second))
		if rand.IntN(2) == 0 {
			r.database.kill()
			time.Sleep(rand.N(300 * time.Millisecond))
			r.server.kill()
		} else {
			r.server.kill()
			r.database.kill()
		}
		r.startDatabase()
		r.start()
	}
	f.end()
	o := r.settle()
	t.Logf("seed %d: kill -9 of server and database under load, %d times: %v", r.seed, databaseKills, o)
}

// The database is killed again and again while load goes on. The server does not notice, but for its journal.
func TestTorture_databaseKilled(t *testing.T) {
	t.Parallel()
	r := newRig(t).withDatabase()
	r.start()
	f := r.load(stallRate)
	for range databaseKills {
		time.Sleep(rand.N(time.Second))
		r.database.kill()
		time.Sleep(rand.N(300 * time.Millisecond))
		r.startDatabase()
	}
	got := f.end()
	o := r.settle()
	t.Logf("seed %d: kill -9 of the database under load, %d times: %v", r.seed, databaseKills, o)
	if len(got.Unknown) > 0 || len(got.Refused) > 0 {
		t.Errorf("%d events without an answer, refused %v", len(got.Unknown), got.Refused)
	}
}
