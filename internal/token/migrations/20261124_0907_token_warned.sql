-- How many days before its end people were told last that the token expires: 14, 3, 1; 0 for not yet.
ALTER TABLE token ADD COLUMN warned BIGINT NOT NULL DEFAULT 0;
