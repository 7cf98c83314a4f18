-- Tags as a JSON list of {key, value}; read by Paddock only, never by SQL.
ALTER TABLE profile ADD COLUMN tags TEXT NOT NULL DEFAULT '[]';
