package pgkeys

import (
	"context"
	"crypto/sha256"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// secretSize is how many bytes of secret a table holds.
const secretSize = 32

// padding has an answer many times as long as one that holds a secret. TLS decrypts what it reads in a buffer of its own and keeps it there: the next
// answer, which begins where the last one began, overwrites it.
const padding = "SELECT repeat('0', 1024)"

// read derives the key from the secret in a table. It reports false when the table does not hold one secret.
func read(ctx context.Context, conn *pgconn.PgConn, table string, key *[16]byte) (bool, error) {
	rows, found := 0, false
	err := receive(ctx, conn, "SELECT secret FROM "+table, func(secret []byte) {
		rows++
		found = len(secret) == secretSize
		derive(key, secret)
	})
	if err != nil {
		return false, err
	}
	return found && rows == 1, receive(ctx, conn, padding, func([]byte) {})
}

// receive runs a statement and shows each row's only column to f, in the connection's read buffer. It speaks the protocol itself, because pgx
// would read the answer through a buffer of its own whenever sending takes a little longer, and f could not wipe that.
func receive(ctx context.Context, conn *pgconn.PgConn, statement string, f func([]byte)) error {
	if err := conn.SyncConn(ctx); err != nil { // ends such a reading that is under way
		return err
	}
	raw := conn.Conn()
	stop := context.AfterFunc(ctx, func() { _ = raw.SetDeadline(time.Unix(1, 0)) }) // an error says it is closed, which ends the wait as well
	refused, err := exchange(conn.Frontend(), statement, f)
	if !stop() || err != nil {
		_ = raw.Close() // in the middle of an answer, or with a deadline: pgx throws a closed one away
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	if refused != nil {
		return refused
	}
	return err
}

// exchange sends one statement and reads all of its answer. The first error is the database's, the second the connection's.
func exchange(wire *pgproto3.Frontend, statement string, f func([]byte)) (refused, err error) {
	wire.SendParse(&pgproto3.Parse{Query: statement})
	wire.SendBind(&pgproto3.Bind{ResultFormatCodes: []int16{pgproto3.BinaryFormat}})
	wire.SendExecute(&pgproto3.Execute{})
	wire.SendSync(&pgproto3.Sync{})
	if err := wire.Flush(); err != nil {
		return nil, err
	}
	for {
		message, err := wire.Receive()
		if err != nil {
			return refused, err
		}
		switch m := message.(type) {
		case *pgproto3.DataRow:
			if len(m.Values) == 1 {
				f(m.Values[0])
			}
		case *pgproto3.ErrorResponse:
			refused = pgconn.ErrorResponseToPgError(m)
		case *pgproto3.ReadyForQuery:
			return refused, nil
		}
	}
}

// hash writes the first half of the secret's SHA-256 to the key and wipes the secret.
func hash(key *[16]byte, secret []byte) {
	sum := sha256.Sum256(secret)
	copy(key[:], sum[:])
	clear(sum[:])
	clear(secret)
}
