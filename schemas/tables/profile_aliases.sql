CREATE TABLE IF NOT EXISTS {database}.profile_aliases {on_cluster}
(
    alias_id UUID COMMENT 'Profile id that was merged away',
    profile_id UUID COMMENT 'Living profile that it resolves to now, in one step',
    since DateTime64(3, 'UTC') COMMENT 'Event time of the merge',
    _batch UInt64 COMMENT 'Number of the batch that wrote the row; the newest row of a key counts' CODEC(Delta, ZSTD(1))
)
ENGINE = {replicated}ReplacingMergeTree(_batch)
ORDER BY alias_id
SETTINGS non_replicated_deduplication_window = 100000, replicated_deduplication_window = 100000, replicated_deduplication_window_seconds = 604800
COMMENT 'One row per profile id that was merged away; kept for ever, so that every old export still resolves'
