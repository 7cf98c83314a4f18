-- The name of the picture's file, which a new upload changes; '' for none.
ALTER TABLE account ADD COLUMN picture TEXT NOT NULL DEFAULT '';
