ALTER TABLE {database}.commits {on_cluster}
    ADD COLUMN IF NOT EXISTS format UInt16 COMMENT 'Version of what the row tells for a replay; 0 in rows of builds that told too little' AFTER durations,
    ADD COLUMN IF NOT EXISTS fixed Bool COMMENT 'The clock reading is fixed, and time passes by event time only' AFTER format,
    ADD COLUMN IF NOT EXISTS latest DateTime64(3, 'UTC') COMMENT 'Events up to here are possible, however old their record is; 1970-01-01 where the time of the record alone counts' AFTER fixed,
    ADD COLUMN IF NOT EXISTS advance_to DateTime64(3, 'UTC') COMMENT 'At the end of the batch the clock moves at least to here; 1970-01-01 for nowhere' AFTER latest,
    ADD COLUMN IF NOT EXISTS rewind Bool COMMENT 'The records were read before, and only what was never accepted counts' AFTER advance_to,
    ADD COLUMN IF NOT EXISTS rules LowCardinality(String) COMMENT 'Digest of the settings that results depend on' AFTER rewind
