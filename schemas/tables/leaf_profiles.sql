CREATE TABLE IF NOT EXISTS {database}.leaf_profiles {on_cluster}
(
    leaf UInt64 COMMENT 'Piece of history, as in events.leaf',
    profile_id UUID COMMENT 'Person that it belongs to; an alias where that person was merged away since',
    since DateTime64(3, 'UTC') COMMENT 'Event time of what changed it',
    _batch UInt64 COMMENT 'Number of the batch that wrote the row; the newest row of a key counts' CODEC(Delta, ZSTD(1)),
    PROJECTION by_batch (SELECT leaf, profile_id, _batch ORDER BY _batch)
)
ENGINE = {replicated}ReplacingMergeTree(_batch)
ORDER BY leaf
SETTINGS non_replicated_deduplication_window = 100000, replicated_deduplication_window = 100000, replicated_deduplication_window_seconds = 604800, deduplicate_merge_projection_mode = 'rebuild'
COMMENT 'One row per piece of history whose person changed other than by a merge: by an unmerge or a quarantine'
