CREATE TABLE IF NOT EXISTS {database}.export_changes {on_cluster}
(
    audience LowCardinality(String) COMMENT 'Name of the audience',
    platform LowCardinality(String) COMMENT 'Platform whose list it is',
    sequence UInt64 COMMENT 'Number of the change within the list, from 1 without gaps' CODEC(Delta, ZSTD(1)),
    snapshot UUID COMMENT 'Snapshot that the change is part of; a row counts only where export_snapshots has it' CODEC(ZSTD(1)),
    op LowCardinality(String) COMMENT 'add or remove',
    profile_id UUID COMMENT 'The person',
    key_kinds Array(LowCardinality(String)) COMMENT 'What each of keys is: email, phone, given_name and so on',
    keys Array(String) COMMENT 'The keys as they were written; a removal has those of the last addition of the person' CODEC(ZSTD(1)),
    time DateTime64(3, 'UTC') COMMENT 'When the snapshot was made' CODEC(Delta, ZSTD(1)),
    _batch UInt64 COMMENT 'Committed batch that the memberships are as of' CODEC(Delta, ZSTD(1)),
    INDEX by_profile_id profile_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = {replicated}ReplacingMergeTree(_batch)
ORDER BY (audience, platform, sequence, snapshot)
SETTINGS index_granularity = 1024, non_replicated_deduplication_window = 100000, replicated_deduplication_window = 100000, replicated_deduplication_window_seconds = 604800
COMMENT 'One row per person added to or removed from the list of an audience for a platform: the ledger of exports'
