CREATE TABLE IF NOT EXISTS {database}.contacts_clear {on_cluster}
(
    identifier_id UInt64 COMMENT 'As in contacts' CODEC(Delta, ZSTD(1)),
    kind LowCardinality(String) COMMENT 'As in contacts',
    time DateTime64(3, 'UTC') COMMENT 'As in contacts' CODEC(Delta, ZSTD(1)),
    key_id LowCardinality(String) COMMENT 'Which key it was encrypted with: the first 4 bytes of its SHA-256, in hex',
    ciphertext String COMMENT 'The normalised value under AES-256-GCM: nonce of 12 bytes, text, tag of 16 bytes; the key is not in this database' CODEC(NONE),
    _batch UInt64 COMMENT 'Number of the batch that wrote the row; the newest row of a key counts' CODEC(Delta, ZSTD(1)),
    INDEX by_batch _batch TYPE minmax GRANULARITY 1
)
ENGINE = {replicated}ReplacingMergeTree(_batch)
ORDER BY (identifier_id, kind, time)
SETTINGS non_replicated_deduplication_window = 100000, replicated_deduplication_window = 100000, replicated_deduplication_window_seconds = 604800
COMMENT 'Contact data encrypted, for what cannot be sent as a hash; empty unless contacts.clear is set'
