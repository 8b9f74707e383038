CREATE TABLE IF NOT EXISTS {database}.commits {on_cluster}
(
    pipeline LowCardinality(String) COMMENT 'Pipeline that wrote the batch',
    batch UInt64 COMMENT 'Number of the batch, from 1 without gaps' CODEC(Delta, ZSTD(1)),
    time DateTime64(3, 'UTC') COMMENT 'The clock reading of the batch' CODEC(Delta, ZSTD(1)),
    topics Array(LowCardinality(String)) COMMENT 'Topic of each range of offsets that the batch consists of',
    partitions Array(Int32) COMMENT 'Partition of each range',
    offsets_from Array(Int64) COMMENT 'First offset of each range',
    offsets_to Array(Int64) COMMENT 'Offset after the last one of each range',
    records UInt64 COMMENT 'Records read',
    events UInt64 COMMENT 'Events accepted',
    rejects UInt64 COMMENT 'Records, or elements of records, refused',
    duplicates UInt64 COMMENT 'Events dropped since their id was seen before',
    dropped Map(LowCardinality(String), UInt64) COMMENT 'Elements dropped on purpose, by kind: training, test, no_event, duplicate',
    profiles UInt64 COMMENT 'Profiles written',
    durations Map(LowCardinality(String), UInt64) COMMENT 'Microseconds that each stage took',
    _batch UInt64 ALIAS batch COMMENT 'The same as batch'
)
ENGINE = {replicated}ReplacingMergeTree
ORDER BY (pipeline, batch)
SETTINGS non_replicated_deduplication_window = 100000, replicated_deduplication_window = 100000, replicated_deduplication_window_seconds = 604800
COMMENT 'One row per batch, written last: where it stands, every row of the batch is in the other tables'
