CREATE TABLE IF NOT EXISTS {database}.state_backups {on_cluster}
(
    pipeline LowCardinality(String) COMMENT 'Pipeline whose state it is',
    generation UInt64 COMMENT 'Batch of the base that the part goes back to',
    batch UInt64 COMMENT 'Batch of the checkpoint that the part leads to; that of the generation for parts of the base',
    part UInt32 COMMENT 'Number of the part within its checkpoint, from 0',
    after UInt64 COMMENT 'Batch of the checkpoint that this one goes on from; 0 for parts of the base',
    parts UInt32 COMMENT 'How many parts the checkpoint has',
    format UInt16 COMMENT 'Version of the encoding of data',
    data String COMMENT 'Entries of the state, serialized' CODEC(ZSTD(1)),
    previous UInt64 COMMENT 'Checksum of the part before; for the first part a digest of what the checkpoint is',
    checksum UInt64 COMMENT 'xxHash64 of previous in decimal, a slash and data: parts of different attempts do not fit together',
    time DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC') COMMENT 'When the part was stored, by the clock of the server',
    _batch UInt64 ALIAS batch COMMENT 'The same as batch'
)
ENGINE = {replicated}ReplacingMergeTree
PARTITION BY (pipeline, generation)
ORDER BY (pipeline, generation, batch, part)
SETTINGS non_replicated_deduplication_window = 100000, replicated_deduplication_window = 100000, replicated_deduplication_window_seconds = 604800, max_bytes_to_merge_at_max_space_in_pool = 1073741824
COMMENT 'Copies of the state of pipelines, in parts: from the newest whole base and the checkpoints after it a worker with an empty disk goes on'
