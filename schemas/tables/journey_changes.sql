CREATE TABLE IF NOT EXISTS {database}.journey_changes {on_cluster}
(
    profile_id UUID COMMENT 'The person, as known then',
    time DateTime64(3, 'UTC') COMMENT 'When the stage began' CODEC(Delta, ZSTD(1)),
    from_stage LowCardinality(String) COMMENT 'The stage before; empty for somebody new',
    to_stage LowCardinality(String) COMMENT 'The stage that began: stranger, visitor, engaged, known, considering, customer, repeat, loyal, at_risk, lapsed',
    reason LowCardinality(String) COMMENT 'Why, in words',
    _batch UInt64 COMMENT 'Number of the batch that wrote the row; the newest row of a key counts' CODEC(Delta, ZSTD(1))
)
ENGINE = {replicated}ReplacingMergeTree(_batch)
ORDER BY (profile_id, time, to_stage)
SETTINGS non_replicated_deduplication_window = 100000, replicated_deduplication_window = 100000, replicated_deduplication_window_seconds = 604800
COMMENT 'One row per step of a person on the journey. Steps are kept as they were seen; a merge or its retraction adds further ones'
