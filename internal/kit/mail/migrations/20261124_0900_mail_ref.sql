-- Names the message to who sent it and wants to know what became of it; '' for none.
ALTER TABLE mail_outbox ADD COLUMN ref TEXT NOT NULL DEFAULT '';
