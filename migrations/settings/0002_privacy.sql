-- How much of a visitor's address each site uses, and what the site takes out of texts before they are stored.
-- Cost: none, the table is small. Undo: DROP TABLE site_redactions; ALTER TABLE sites DROP COLUMN address_mask; the same for hash_address and geo_from.

-- +goose Up
-- The defaults are what sites had before they could choose.
ALTER TABLE sites ADD COLUMN address_mask INTEGER NOT NULL DEFAULT 2 CHECK (typeof(address_mask) = 'integer' AND address_mask BETWEEN 1 AND 4);
ALTER TABLE sites ADD COLUMN hash_address TEXT NOT NULL DEFAULT 'full' CHECK (hash_address IN ('full', 'masked'));
ALTER TABLE sites ADD COLUMN geo_from TEXT NOT NULL DEFAULT 'cut' CHECK (geo_from IN ('cut', 'masked', 'off'));

-- Rules apply in the order of their positions, which begin at 0.
CREATE TABLE site_redactions (
  site_id INTEGER NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  field TEXT NOT NULL,
  match TEXT NOT NULL, -- RE2
  replacement TEXT NOT NULL,
  PRIMARY KEY (site_id, position)
);
