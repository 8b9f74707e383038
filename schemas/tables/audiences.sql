CREATE TABLE IF NOT EXISTS {database}.audiences {on_cluster}
(
    audience LowCardinality(String) COMMENT 'Name of the audience',
    description String COMMENT 'What it is, in words',
    rule String COMMENT 'The condition under which a person belongs to it',
    min_size UInt32 COMMENT 'Smaller audiences are not exported; 0 for any size',
    holdout_of LowCardinality(String) COMMENT 'Audience whose held-out people this one has, to compare with; empty for all others. It is never exported',
    active Bool COMMENT 'Whether it is defined; false where only its ledger is left',
    _batch UInt64 COMMENT 'Number of the batch that wrote the row; the newest row of a key counts' CODEC(Delta, ZSTD(1))
)
ENGINE = {replicated}ReplacingMergeTree(_batch)
ORDER BY audience
SETTINGS non_replicated_deduplication_window = 100000, replicated_deduplication_window = 100000, replicated_deduplication_window_seconds = 604800
COMMENT 'One row per audience: how it is defined. Written when that changes'
