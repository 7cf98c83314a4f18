-- The colour by which people know the profile, "#rrggbb", and what the owner's books call the customer it is for; '' for none.
ALTER TABLE profile ADD COLUMN color TEXT NOT NULL DEFAULT '';
ALTER TABLE profile ADD COLUMN reference TEXT NOT NULL DEFAULT '';

-- Global: which profiles a person keeps at the top of the list.
CREATE TABLE profile_pin (
  account TEXT NOT NULL,
  profile TEXT NOT NULL,
  pinned_at BIGINT NOT NULL,
  PRIMARY KEY (account, profile)
);
CREATE INDEX profile_pin_profile ON profile_pin (profile);
