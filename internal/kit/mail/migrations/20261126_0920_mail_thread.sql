-- The conversation a message belongs to: the id of the message and those of the ones before it, separated by spaces; '' for none.
ALTER TABLE mail_outbox ADD COLUMN thread_id TEXT NOT NULL DEFAULT '';
ALTER TABLE mail_outbox ADD COLUMN answers TEXT NOT NULL DEFAULT '';
