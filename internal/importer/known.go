package importer

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"

	"golang.org/x/crypto/argon2"
)

// What it costs to hash a digest, and each guess at what a file was: about 50 ms and 64 MiB.
const (
	hashTime    = 1
	hashKiB     = 64 << 10
	hashThreads = 1
)

// knower makes what a file is known by in the settings database. A file may be one line with one address, and whoever has the database could try all there are:
// so it is not the file's digest, but a slow hash of it under a salt of the installation.
type knower struct {
	db   *sql.DB
	turn chan struct{} // holds one: only one is computed at a time, because of the memory
}

func newKnower(db *sql.DB) knower { return knower{db, make(chan struct{}, 1)} }

// name returns 64 hex digits, the same for the same digest.
func (k knower) name(ctx context.Context, digest []byte) (string, error) {
	salt, err := k.salt(ctx)
	if err != nil {
		return "", err
	}
	select {
	case k.turn <- struct{}{}:
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
	defer func() { <-k.turn }()
	return hex.EncodeToString(argon2.IDKey(digest, salt, hashTime, hashKiB, hashThreads, 32)), nil
}

// salt returns the installation's salt, and makes it the first time.
func (k knower) salt(ctx context.Context) ([]byte, error) {
	const read = `SELECT salt FROM import_salt WHERE id = 1`
	var salt []byte
	err := k.db.QueryRowContext(ctx, read).Scan(&salt)
	if errors.Is(err, sql.ErrNoRows) {
		var fresh [16]byte
		_, _ = rand.Read(fresh[:]) // It never fails: the runtime ends the process first.
		if _, err = k.db.ExecContext(ctx, `INSERT INTO import_salt (id, salt) VALUES (1, ?) ON CONFLICT DO NOTHING`, fresh[:]); err == nil {
			err = k.db.QueryRowContext(ctx, read).Scan(&salt)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the salt of imports: %w", err)
	}
	return salt, nil
}
