CREATE TABLE IF NOT EXISTS {database}.dead_letters {on_cluster}
(
    time DateTime64(3, 'UTC') COMMENT 'When the record was refused' CODEC(Delta, ZSTD(1)),
    topic LowCardinality(String) COMMENT 'Topic of the record',
    partition Int32 COMMENT 'Partition of the record',
    offset Int64 COMMENT 'Offset of the record' CODEC(Delta, ZSTD(1)),
    element UInt32 COMMENT 'Position within a record that holds several; 0 where it holds one',
    record_time DateTime64(3, 'UTC') COMMENT 'Timestamp of the record' CODEC(Delta, ZSTD(1)),
    reason LowCardinality(String) COMMENT 'Why: malformed, unknown_format, unknown_event, missing_identifier, missing_field, impossible_time, oversize or card_number',
    detail String COMMENT 'Names the field or limit, never a person''s data',
    key String COMMENT 'Key of the record, as bytes' CODEC(ZSTD(1)),
    value String COMMENT 'Original bytes of the record; only digits of card numbers are masked' CODEC(ZSTD(1)),
    _batch UInt64 COMMENT 'Number of the batch that wrote the row; the newest row of a key counts' CODEC(Delta, ZSTD(1)),
    INDEX by_time time TYPE minmax GRANULARITY 1
)
ENGINE = {replicated}ReplacingMergeTree(_batch)
ORDER BY (topic, partition, offset, element)
SETTINGS non_replicated_deduplication_window = 100000, replicated_deduplication_window = 100000, replicated_deduplication_window_seconds = 604800
COMMENT 'One row per record, or element of a record, that was refused'
