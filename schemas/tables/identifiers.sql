CREATE TABLE IF NOT EXISTS {database}.identifiers {on_cluster}
(
    identifier_id UInt64 COMMENT 'Dense number of the identifier, in the order of the identity log' CODEC(Delta, ZSTD(1)),
    namespace LowCardinality(String) COMMENT 'What kind of name it is: user_id, email, phone, card, device_id, anonymous_id and so on',
    value_hash FixedString(16) COMMENT 'First bytes of HMAC-SHA-256 of the normalised value under the key of this installation',
    display String COMMENT 'The value, clear for device-like namespaces and masked for personal ones',
    profile_id UUID COMMENT 'The person that it names now; all zero for none',
    class LowCardinality(String) COMMENT 'What it may do: personal, shared, kiosk or evidence',
    first_seen DateTime64(3, 'UTC') COMMENT 'Time of the earliest event that named it',
    last_seen DateTime64(3, 'UTC') COMMENT 'Time of the latest event that named it',
    quarantined Bool COMMENT 'Seen with too many people: its links do not carry',
    _batch UInt64 COMMENT 'Number of the batch that wrote the row; the newest row of a key counts' CODEC(Delta, ZSTD(1)),
    INDEX by_profile_id profile_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_value_hash value_hash TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = {replicated}ReplacingMergeTree(_batch)
ORDER BY identifier_id
SETTINGS non_replicated_deduplication_window = 100000, replicated_deduplication_window = 100000, replicated_deduplication_window_seconds = 604800
COMMENT 'One row per identifier, as it is now'
