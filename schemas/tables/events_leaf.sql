ALTER TABLE {database}.events {on_cluster}
    ADD COLUMN IF NOT EXISTS leaf UInt64 COMMENT 'Piece of history that the event belongs to, which never divides; 0 for none, and in rows of builds that knew no leaves' CODEC(ZSTD(1)) AFTER identifiers,
    COMMENT COLUMN IF EXISTS profile_id 'The person as resolved when the event was processed, or later by squashing, which writes what was merged or split since into old rows; all zero where no person is known. The view events_resolved is right at every moment'
