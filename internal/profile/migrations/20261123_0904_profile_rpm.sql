-- Soft limits on requests a minute, set by the owner: of requests that send data and of those that read it; 0 is none.
ALTER TABLE profile ADD COLUMN rpm_input BIGINT NOT NULL DEFAULT 0;
ALTER TABLE profile ADD COLUMN rpm_output BIGINT NOT NULL DEFAULT 0;
