CREATE TABLE IF NOT EXISTS {database}.session_aliases {on_cluster}
(
    session_id UInt64 COMMENT 'Session as it stands in events',
    became UInt64 COMMENT 'Session that its events belong to by now',
    _batch UInt64 COMMENT 'Number of the batch that wrote the row; the newest row of a key counts' CODEC(Delta, ZSTD(1))
)
ENGINE = {replicated}ReplacingMergeTree(_batch)
ORDER BY session_id
SETTINGS non_replicated_deduplication_window = 100000, replicated_deduplication_window = 100000, replicated_deduplication_window_seconds = 604800
COMMENT 'One row per session that became another, since an event that came late moved its start or joined two sessions'
