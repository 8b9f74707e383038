CREATE TABLE IF NOT EXISTS {database}.survey_answers {on_cluster}
(
    time DateTime64(3, 'UTC') COMMENT 'When the person answered' CODEC(Delta, ZSTD(1)),
    source LowCardinality(String) COMMENT 'Kind of producer that the answer came from',
    event_id String COMMENT 'Event that the answer came with' CODEC(ZSTD(1)),
    profile_id UUID COMMENT 'The person as resolved when the event was processed, or later by squashing; all zero where no person is known',
    leaf UInt64 COMMENT 'Piece of history that the event belongs to, which never divides; 0 for none' CODEC(ZSTD(1)),
    survey LowCardinality(String) COMMENT 'Survey that was answered',
    kind LowCardinality(String) COMMENT 'Scale: nps, 0 to 10, or csat, 1 to 5',
    score Int8 COMMENT 'The answer on that scale',
    channel LowCardinality(String) COMMENT 'Where the person answered: web, app, store and so on',
    store_id LowCardinality(String) COMMENT 'Store that was asked about; empty for none',
    _batch UInt64 COMMENT 'Number of the batch that wrote the row; the newest row of a key counts' CODEC(Delta, ZSTD(1)),
    INDEX by_profile_id profile_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_batch _batch TYPE minmax GRANULARITY 1
)
ENGINE = {replicated}ReplacingMergeTree(_batch)
ORDER BY (time, source, event_id)
SETTINGS non_replicated_deduplication_window = 100000, replicated_deduplication_window = 100000, replicated_deduplication_window_seconds = 604800
COMMENT 'One row per answer to a survey of satisfaction'
