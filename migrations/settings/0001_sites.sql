-- Sites, and the time zones each of them has had.
-- Cost: none, the tables are new and small. Undo: DROP TABLE site_zones; DROP TABLE sites;

-- +goose Up
-- AUTOINCREMENT: an id names rows in ClickHouse, so the id of a removed site must never name another one.
CREATE TABLE sites (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  domain TEXT NOT NULL,
  retention_days INTEGER NOT NULL,
  created_at INTEGER NOT NULL, -- seconds since 1970-01-01 UTC
  removed_at INTEGER -- the site is gone for everybody; the row goes when its events are deleted
);

CREATE UNIQUE INDEX sites_domain ON sites (domain) WHERE removed_at IS NULL;

-- A zone holds from starts_at until the next row's. A change is written with the midnight it starts at.
CREATE TABLE site_zones (
  site_id INTEGER NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
  starts_at INTEGER NOT NULL, -- seconds since 1970-01-01 UTC
  zone TEXT NOT NULL, -- IANA name
  PRIMARY KEY (site_id, starts_at)
);
