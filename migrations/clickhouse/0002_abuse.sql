-- Abuse: how many events came from a masked address in a minute, and what became of them. Only written with addresses.store: true.
-- Why apart from events: it is for defence, so it has its own, short life, and nothing in it leads to a visitor or a page.
-- Why a partition a day: a day's rows go together, by dropping files; nothing is rewritten. There are 17 partitions at most. A row is on the
-- disk for up to a day longer than the 15 it is answered for.
-- Why a window: an insert that is sent again under its token must be dropped. One a minute and node: 1000 outlast the ten minutes of tries many times.
-- Cost: none, the table is new. Undo: DROP TABLE abuse.

-- +goose NO TRANSACTION
-- +goose Up
CREATE TABLE IF NOT EXISTS abuse (
  site_id UInt32, -- 0: none of the sites
  minute DateTime('UTC') CODEC(Delta(4), ZSTD(1)),
  address IPv6, -- masked; IPv4 as ::ffff:192.0.2.0
  reason LowCardinality(String), -- what became of the events
  events UInt32
) ENGINE = MergeTree
PARTITION BY toDate(minute)
ORDER BY (site_id, minute, address, reason)
TTL minute + toIntervalDay(15)
SETTINGS default_compression_codec = 'ZSTD(1)', non_replicated_deduplication_window = 1000, ttl_only_drop_parts = 1;
