-- Events: one row for each thing a visitor did, with the facts of its visit repeated on it.
-- Why this order: a visitor's rows stand together, which compresses them to less than half and makes a visit one run of rows.
-- Why a window: an insert that is sent again under its token must be dropped; the default window of a plain MergeTree is 0.
-- Why merge_with_ttl_timeout: rows expire by whole days, so rewriting the oldest month more often than daily gains nothing.
-- Why fsync: an event leaves the journal when its insert is acknowledged, so the acknowledgement must mean the disk.
-- Cost: none, the table is new. Undo: DROP TABLE events.

-- +goose NO TRANSACTION
-- +goose Up
CREATE TABLE IF NOT EXISTS events (
  site_id UInt32,
  day Date, -- the site-local day of the key that made visitor; never computed again from ts
  visitor UInt64, -- 0: none
  visit_start DateTime('UTC'),
  seq UInt16 CODEC(Delta(2), ZSTD(1)),
  ts DateTime('UTC') CODEC(Delta(4), ZSTD(1)),
  kind Enum8('pageview' = 0, 'engagement' = 1, 'custom' = 2),
  interactive UInt8,
  name LowCardinality(String),
  hostname LowCardinality(String),
  path LowCardinality(String),
  entry_host LowCardinality(String),
  entry_page LowCardinality(String),
  source LowCardinality(String),
  channel LowCardinality(String),
  referrer LowCardinality(String),
  click_id LowCardinality(String),
  utm_source LowCardinality(String),
  utm_medium LowCardinality(String),
  utm_campaign LowCardinality(String),
  utm_content LowCardinality(String),
  utm_term LowCardinality(String),
  country LowCardinality(String),
  region LowCardinality(String),
  city UInt32,
  browser LowCardinality(String),
  browser_version LowCardinality(String),
  os LowCardinality(String),
  os_version LowCardinality(String),
  device LowCardinality(String),
  screen LowCardinality(String),
  language LowCardinality(String),
  prop_keys Array(LowCardinality(String)),
  prop_values Array(String),
  scroll UInt8, -- percent; 255: none
  engaged_ms UInt32 CODEC(T64, ZSTD(1)),
  amount Int64, -- thousandths of currency
  currency LowCardinality(String),
  origin UInt16, -- 0: measured here; else the import it came with
  retention_days UInt16
) ENGINE = MergeTree
PARTITION BY toYYYYMM(day)
ORDER BY (site_id, day, visitor, visit_start, seq)
TTL day + toIntervalDay(retention_days)
SETTINGS default_compression_codec = 'ZSTD(1)', non_replicated_deduplication_window = 10000, merge_with_ttl_timeout = 86400,
  fsync_after_insert = 1, fsync_part_directory = 1;
