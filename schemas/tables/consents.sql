CREATE TABLE IF NOT EXISTS {database}.consents {on_cluster}
(
    time DateTime64(3, 'UTC') COMMENT 'When the person answered' CODEC(Delta, ZSTD(1)),
    source LowCardinality(String) COMMENT 'Kind of producer that the answer came from',
    event_id String COMMENT 'Event that the answer came with' CODEC(ZSTD(1)),
    purpose LowCardinality(String) COMMENT 'What was asked for: analytics, ads_storage, ads_user_data, ads_personalization, email_marketing, sms_marketing, push_marketing, whatsapp_marketing or personalization',
    state LowCardinality(String) COMMENT 'granted, denied, or unset where the answer was taken back',
    profile_id UUID COMMENT 'The person as resolved when the event was processed, or later by squashing; all zero where no person is known',
    leaf UInt64 COMMENT 'Piece of history that the event belongs to, which never divides; 0 for none' CODEC(ZSTD(1)),
    country LowCardinality(String) COMMENT 'ISO 3166 alpha-2 code, upper case; empty where unknown',
    _batch UInt64 COMMENT 'Number of the batch that wrote the row; the newest row of a key counts' CODEC(Delta, ZSTD(1)),
    INDEX by_profile_id profile_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_batch _batch TYPE minmax GRANULARITY 1
)
ENGINE = {replicated}ReplacingMergeTree(_batch)
ORDER BY (time, source, event_id, purpose)
SETTINGS non_replicated_deduplication_window = 100000, replicated_deduplication_window = 100000, replicated_deduplication_window_seconds = 604800
COMMENT 'One row per answer about consent, so that one can tell what a person had agreed to at any time'
