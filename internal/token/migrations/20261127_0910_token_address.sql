-- Where a token was last used from; '' until then, and from the moment on in which it becomes another person's.
ALTER TABLE token ADD COLUMN last_addr TEXT NOT NULL DEFAULT '';
