// Package migrations holds the numbered SQL files that bring a database to the schema this version works with.
//
// store runs clickhouse/ and the settings package runs settings/, both with goose, at every start.
//
// Invariants: files are numbered without gaps and only go forward; a file that was released is never changed, the next number mends it. Each
// begins with a comment: why, what it costs on a big table, how to undo it by hand.
//
// It holds no code that runs: which file was applied is goose's table in the database itself.
package migrations

import "embed"

// ClickHouse holds the files for the events database, in the folder "clickhouse".
//
//go:embed clickhouse/*.sql
var ClickHouse embed.FS

// Settings holds the files for the settings database, in the folder "settings".
//
//go:embed settings/*.sql
var Settings embed.FS
