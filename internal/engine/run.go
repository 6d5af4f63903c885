package engine

import (
	"context"
	"runtime"
	"time"

	"github.com/daysalt/daysalt/internal/fault"
)

// killEvery is how often a cancelled query is killed again: the first time it may not have started yet.
const killEvery = 50 * time.Millisecond

var errClosed = fault.Unavailablef(nil, "the engine is closed")

// run answers q on a connection of its own. When ctx ends it returns at once with ctx.Err(), and the query is killed; its place in the pool
// becomes free when the engine has really let go of it.
func (e *Engine) run(ctx context.Context, q *request) (answer, error) {
	if err := e.acquire(ctx); err != nil {
		return answer{}, err
	}
	id := e.nextID()
	q.queryID = first(q.queryID, id)
	work, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(e.ending, cancel)
	type outcome struct {
		answer answer
		err    error
	}
	done := make(chan outcome, 1)
	go func() {
		defer e.release()
		defer cancel()
		defer stop()
		a, err := e.work(work, id, q)
		if e.ending.Err() != nil && err != nil {
			err = errClosed
		}
		done <- outcome{a, err}
	}()
	select {
	case o := <-done:
		return o.answer, o.err
	case <-ctx.Done():
		return answer{}, ctx.Err()
	}
}

// work does what run promises, in the goroutine that holds the place in the pool.
func (e *Engine) work(ctx context.Context, id string, q *request) (answer, error) {
	// The engine keeps state of a running INSERT in the thread. It stays locked, so that it ends with the goroutine: its priority is lower from now on.
	runtime.LockOSThread()
	stepBack()
	finished, killed := make(chan struct{}), make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(killed)
		e.kill(id, finished)
	})
	defer func() {
		close(finished)
		if !stop() {
			<-killed
		}
	}()
	s, err := openSession(e.lib, e.sessionArgs(id))
	if err != nil {
		return answer{}, err
	}
	defer s.close()
	return s.answer(ctx, q)
}

// answer prepares the connection for q and runs it.
func (s *session) answer(ctx context.Context, q *request) (answer, error) {
	if q.database != "" && q.database != "default" {
		if err := s.exec("USE " + quoteName(q.database)); err != nil {
			return answer{}, err
		}
	}
	if set := q.setSQL(); set != "" {
		if err := s.exec(set); err != nil {
			return answer{}, err
		}
	}
	if ctx.Err() != nil {
		return answer{}, ctx.Err()
	}
	if q.insert {
		return s.insert(ctx, q)
	}
	return s.query(q.sql, q.format, q.params)
}

// kill kills the query with this log comment until finished is closed.
func (e *Engine) kill(id string, finished <-chan struct{}) {
	wait := killEvery
	for {
		// ASYNC, because SYNC never returns once the query's table has been read (seen on 26.7).
		if err := e.command("KILL QUERY WHERE Settings['log_comment'] = " + quote(id) + " ASYNC"); err != nil {
			e.log.Warn("cannot kill a query", "query_id", id, "error", err)
		}
		select {
		case <-finished:
			return
		case <-time.After(wait):
			wait = min(2*wait, time.Second)
		}
	}
}

// acquire waits for a place in the pool.
func (e *Engine) acquire(ctx context.Context) error {
	select {
	case <-e.refusing:
		return errClosed
	default:
	}
	select {
	case e.places <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	case <-e.refusing:
		return errClosed
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		<-e.places
		return errClosed
	}
	e.running.Add(1)
	return nil
}

func (e *Engine) release() {
	<-e.places
	e.running.Done()
}
