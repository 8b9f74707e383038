CREATE TABLE IF NOT EXISTS {database}.contacts {on_cluster}
(
    identifier_id UInt64 COMMENT 'Of an e-mail address or phone number: its own number in identifiers; of mobile_id: that of the device of the event that told it, where it has one; of all else: that of the strongest identifier of that event' CODEC(Delta, ZSTD(1)),
    kind LowCardinality(String) COMMENT 'What it is: email, phone, given_name, family_name, city, region, postal, country, birth_date, gender or mobile_id',
    time DateTime64(3, 'UTC') COMMENT 'Time of the event that told it; the newest of an identifier and kind counts' CODEC(Delta, ZSTD(1)),
    plain FixedString(32) COMMENT 'SHA-256 of the form that most platforms want; of a phone number the digits without a plus; all zero where there is none',
    google FixedString(32) COMMENT 'SHA-256 of the form that Google wants: gmail without dots and suffix, phone numbers with a plus, names without titles; all zero where there is none',
    uid2 FixedString(32) COMMENT 'SHA-256 of the form that UID2 and The Trade Desk want, who take base64 of these bytes; all zero where there is none',
    value String COMMENT 'Clear only for kinds that name nobody: country as ISO 3166 alpha-2 and mobile_id, both in lower case; empty for all else',
    _batch UInt64 COMMENT 'Number of the batch that wrote the row; the newest row of a key counts' CODEC(Delta, ZSTD(1)),
    INDEX by_batch _batch TYPE minmax GRANULARITY 1
)
ENGINE = {replicated}ReplacingMergeTree(_batch)
ORDER BY (identifier_id, kind, time)
SETTINGS non_replicated_deduplication_window = 100000, replicated_deduplication_window = 100000, replicated_deduplication_window_seconds = 604800
COMMENT 'One row per piece of contact data that an event told, as the hashes that platforms match by; never in clear'
