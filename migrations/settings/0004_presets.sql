-- What a site is at least as strict as, what else it may store or leave out, and how its opt-out page looks.
-- Cost: none, the table is small. Undo: ALTER TABLE sites DROP COLUMN preset; the same for city, dnt, allow_props, min_visitors, brand_name and brand_color.

-- +goose Up
-- The defaults are what sites had before they could choose.
ALTER TABLE sites ADD COLUMN preset TEXT NOT NULL DEFAULT 'default' CHECK (preset IN ('default', 'masked', 'cnil', 'strict'));
ALTER TABLE sites ADD COLUMN city INTEGER NOT NULL DEFAULT 0 CHECK (typeof(city) = 'integer' AND city IN (0, 1));
ALTER TABLE sites ADD COLUMN dnt INTEGER NOT NULL DEFAULT 0 CHECK (typeof(dnt) = 'integer' AND dnt IN (0, 1));
-- A JSON list of names.
ALTER TABLE sites ADD COLUMN allow_props TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(allow_props) AND json_type(allow_props) = 'array' AND json_array_length(allow_props) <= 50);
ALTER TABLE sites ADD COLUMN min_visitors INTEGER NOT NULL DEFAULT 0 CHECK (typeof(min_visitors) = 'integer' AND min_visitors BETWEEN 0 AND 1000);
ALTER TABLE sites ADD COLUMN brand_name TEXT NOT NULL DEFAULT '' CHECK (typeof(brand_name) = 'text' AND length(brand_name) <= 60);
ALTER TABLE sites ADD COLUMN brand_color TEXT NOT NULL DEFAULT '' CHECK (brand_color = '' OR brand_color GLOB '#[0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f]');
