CREATE TABLE IF NOT EXISTS {database}.identity_log {on_cluster}
(
    position UInt64 COMMENT 'Dense number of the decision, from 1' CODEC(Delta, ZSTD(1)),
    time DateTime64(3, 'UTC') COMMENT 'Event time of the evidence' CODEC(Delta, ZSTD(1)),
    kind LowCardinality(String) COMMENT 'What was decided: linked, merged, refused, demoted, quarantined, retracted or split',
    a_id UInt64 COMMENT 'Identifier that the decision is about',
    a_namespace LowCardinality(String) COMMENT 'Namespace of that identifier',
    b_id UInt64 COMMENT 'The other identifier; 0 where only one is concerned',
    b_namespace LowCardinality(String) COMMENT 'Namespace of the other identifier; empty where only one is concerned',
    profile_id UUID COMMENT 'The person that results, or that the event belongs to',
    other_profile_id UUID COMMENT 'The person merged away or kept apart; all zero where there is none',
    rule LowCardinality(String) COMMENT 'The rule that decided, such as limit user_id 1',
    event_id String COMMENT 'Event that gave the evidence',
    _batch UInt64 COMMENT 'Number of the batch that wrote the row; the newest row of a key counts' CODEC(Delta, ZSTD(1)),
    INDEX by_profile_id profile_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_other_profile_id other_profile_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_a_id a_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_b_id b_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = {replicated}ReplacingMergeTree(_batch)
ORDER BY position
SETTINGS non_replicated_deduplication_window = 100000, replicated_deduplication_window = 100000, replicated_deduplication_window_seconds = 604800
COMMENT 'One row per decision about identity: every link made, refused, demoted or taken back, and why'
