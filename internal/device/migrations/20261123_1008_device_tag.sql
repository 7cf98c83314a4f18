-- The devices of a tag in the order of their ids, so that a long walk over them can be cut into pieces.
CREATE INDEX device_tag_devices ON device_tag (profile_id, lower(key), lower(value), device_id);
DROP INDEX device_tag_by_key;
