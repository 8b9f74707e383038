CREATE TABLE IF NOT EXISTS {database}.squash_points {on_cluster}
(
    epoch UInt64 COMMENT 'Grows with each instance that begins to write, so that what an earlier one still says no longer counts',
    step UInt64 COMMENT 'Number of the row within its epoch, from 1',
    squashed UInt64 COMMENT 'Aliases that batches up to this one made stand in events and order_lines, and in no dictionary any more',
    attributed UInt64 COMMENT 'The same for leaves: they leave before the aliases of the people that they belong to; never less than squashed',
    settled UInt64 COMMENT 'What later batches up to this one said is in the dictionaries aliases_settled and leaves_settled',
    recent UInt64 COMMENT 'What batches after this one said is in the dictionaries aliases_recent and leaves_recent; never more than settled',
    time DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC') COMMENT 'When the row was written, by the clock of the server'
)
ENGINE = {replicated}ReplacingMergeTree
ORDER BY (epoch, step)
SETTINGS non_replicated_deduplication_window = 100000, replicated_deduplication_window = 100000, replicated_deduplication_window_seconds = 604800
COMMENT 'How far squashing is, and what the dictionaries of what is pending hold: the row with the greatest epoch and step counts'
