-- For a search by the end of a token.
CREATE INDEX token_tail ON token (profile_id, tail) WHERE ended_at = 0;
