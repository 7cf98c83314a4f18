-- What a token may do at most in its profile besides its maker's role there: JSON {role, within} of who made it, for one that
-- a new owner of the profile took over; '' for no such bound.
ALTER TABLE token ADD COLUMN ceiling TEXT NOT NULL DEFAULT '';
