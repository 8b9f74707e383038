CREATE TABLE IF NOT EXISTS {database}.audience_members {on_cluster}
(
    audience LowCardinality(String) COMMENT 'Name of the audience',
    profile_id UUID COMMENT 'The person',
    member Bool COMMENT 'Whether the person is in the audience now',
    since DateTime64(3, 'UTC') COMMENT 'When the present or latest membership began',
    until DateTime64(3, 'UTC') COMMENT 'When it ended; 1970-01-01 while it lasts',
    reason LowCardinality(String) COMMENT 'Why it began or ended',
    version UInt64 COMMENT 'Number of the batch that wrote the row; the newest row of a key counts' CODEC(Delta, ZSTD(1)),
    _batch UInt64 ALIAS version COMMENT 'The same as version',
    INDEX by_profile_id profile_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = {replicated}ReplacingMergeTree(version)
ORDER BY (audience, profile_id)
SETTINGS non_replicated_deduplication_window = 100000, replicated_deduplication_window = 100000, replicated_deduplication_window_seconds = 604800
COMMENT 'One row per audience and person that is or was in it, as of now'
