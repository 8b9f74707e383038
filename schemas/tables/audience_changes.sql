CREATE TABLE IF NOT EXISTS {database}.audience_changes {on_cluster}
(
    audience LowCardinality(String) COMMENT 'Name of the audience',
    sequence UInt64 COMMENT 'Number of the change within its audience, from 1 without gaps' CODEC(Delta, ZSTD(1)),
    profile_id UUID COMMENT 'The person',
    change LowCardinality(String) COMMENT 'enter or exit',
    time DateTime64(3, 'UTC') COMMENT 'When the person entered or left' CODEC(Delta, ZSTD(1)),
    reason LowCardinality(String) COMMENT 'Why the person entered or left',
    _batch UInt64 COMMENT 'Number of the batch that wrote the row; the newest row of a key counts' CODEC(Delta, ZSTD(1)),
    INDEX by_profile_id profile_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = {replicated}ReplacingMergeTree(_batch)
ORDER BY (audience, sequence)
SETTINGS non_replicated_deduplication_window = 100000, replicated_deduplication_window = 100000, replicated_deduplication_window_seconds = 604800
COMMENT 'One row per entry into or exit from an audience'
