CREATE TABLE IF NOT EXISTS {database}.accounts {on_cluster}
(
    id String COMMENT 'Company or other group, as producers name it',
    people UInt32 COMMENT 'How many people act for it',
    stage LowCardinality(String) COMMENT 'The furthest stage of the journey of its people',
    events UInt64 COMMENT 'Events of its people',
    sessions UInt32 COMMENT 'Sessions of its people on web and app',
    product_views UInt64 COMMENT 'Product views of its people',
    orders Int64 COMMENT 'Sales less voids of its people',
    revenue Decimal(18, 4) COMMENT 'Net revenue of its people in the column currency',
    currency LowCardinality(String) COMMENT 'ISO 4217 code of most orders; empty before the first',
    first_seen DateTime64(3, 'UTC') COMMENT 'Time of the earliest event of its people',
    last_seen DateTime64(3, 'UTC') COMMENT 'Time of the latest event of its people',
    demo_at DateTime64(3, 'UTC') COMMENT 'Latest request for a demo; 1970-01-01 for never',
    _batch UInt64 COMMENT 'Number of the batch that wrote the row; the newest row of a key counts' CODEC(Delta, ZSTD(1))
)
ENGINE = {replicated}ReplacingMergeTree(_batch)
ORDER BY id
SETTINGS non_replicated_deduplication_window = 100000, replicated_deduplication_window = 100000, replicated_deduplication_window_seconds = 604800
COMMENT 'One row per account, a company or other group, as of now: the fold of the people who act for it'
