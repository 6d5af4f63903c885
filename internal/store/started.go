package store

import (
	"context"
	"fmt"
)

// Started returns the name of the server that answered, and since when it has been running, in seconds since 1970-01-01 UTC by its own clock,
// give or take one. What a server acknowledged may have been in its memory only, so a later start of the same name means: send again what was
// acknowledged shortly before. Of several servers behind one DSN any may answer.
func (s *Store) Started(ctx context.Context) (server string, unix int64, err error) {
	const question = "SELECT concat(hostName(), ' ', toString(serverUUID())), toInt64(toUnixTimestamp(now())) - toInt64(uptime())"
	if err := s.conn.QueryRow(ctx, question).Scan(&server, &unix); err != nil {
		return "", 0, fmt.Errorf("cannot ask ClickHouse since when it runs: %w", withoutValues(err))
	}
	return server, unix, nil
}
