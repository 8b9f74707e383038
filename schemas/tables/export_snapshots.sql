CREATE TABLE IF NOT EXISTS {database}.export_snapshots {on_cluster}
(
    audience LowCardinality(String) COMMENT 'Name of the audience',
    platform LowCardinality(String) COMMENT 'Platform whose list it is',
    number UInt64 COMMENT 'Number of the snapshot within the list, from 1 without gaps' CODEC(Delta, ZSTD(1)),
    snapshot UUID COMMENT 'Its id' CODEC(ZSTD(1)),
    first UInt64 COMMENT 'Sequence of its first change' CODEC(Delta, ZSTD(1)),
    sequence UInt64 COMMENT 'Sequence of its last change; one less than first where it has none' CODEC(Delta, ZSTD(1)),
    people UInt64 COMMENT 'People on the list',
    adds UInt64 COMMENT 'People added',
    removes UInt64 COMMENT 'People removed',
    min_size UInt32 COMMENT 'Least people that a list had to have',
    small Bool COMMENT 'Whether there were fewer than that, so that the list is empty and is not served',
    sha256 String COMMENT 'SHA-256 of the list as CSV, in hex',
    time DateTime64(3, 'UTC') COMMENT 'When it was made' CODEC(Delta, ZSTD(1)),
    _batch UInt64 COMMENT 'Committed batch that the memberships are as of' CODEC(Delta, ZSTD(1))
)
ENGINE = {replicated}ReplacingMergeTree(_batch)
ORDER BY (audience, platform, number)
SETTINGS non_replicated_deduplication_window = 100000, replicated_deduplication_window = 100000, replicated_deduplication_window_seconds = 604800
COMMENT 'One row per standing list of an audience for a platform, written last: where it stands, its changes are in export_changes'
