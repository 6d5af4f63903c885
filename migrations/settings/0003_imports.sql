-- Imports: which files of past events were loaded, and how far, so that a line is never loaded twice.
-- Cost: none, the tables are new and small. Undo: DROP TABLE imports; DROP TABLE import_salt;

-- +goose Up
-- AUTOINCREMENT: an id is the origin of rows in ClickHouse and of frames in the journal, where it has 16 bits, so none is given twice.
CREATE TABLE imports (
  id INTEGER PRIMARY KEY AUTOINCREMENT CHECK (id < 65536),
  file TEXT NOT NULL UNIQUE, -- what its content is known by, in hex: a slow hash under import_salt, because a file may be so short that it can be guessed
  lines INTEGER NOT NULL, -- how many the file has
  next_line INTEGER NOT NULL DEFAULT 1, -- every line before it is stored
  kept INTEGER NOT NULL DEFAULT 0, -- events
  dropped TEXT NOT NULL DEFAULT '{}', -- events by reason, as JSON
  forgotten INTEGER NOT NULL DEFAULT 0, -- visits that were forgotten while they could have gone on
  state TEXT NOT NULL, -- open, ended, expired, removing
  started_at INTEGER NOT NULL, -- seconds since 1970-01-01 UTC
  keys_at INTEGER, -- when its keys were made, which is before its first line was kept; NULL: there are none
  ended_at INTEGER
);
CREATE TABLE import_salt (
  id INTEGER PRIMARY KEY CHECK (id = 1), -- one for the installation
  salt BLOB NOT NULL -- random
);
