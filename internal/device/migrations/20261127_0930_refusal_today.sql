-- How large the refused body was, in bytes; 0 also for those refused before this was written down.
ALTER TABLE device_refusal ADD COLUMN size BIGINT NOT NULL DEFAULT 0;

-- For counting the refusals of a day without reading their bodies.
CREATE INDEX device_refusal_day ON device_refusal (profile_id, device_id, at);
