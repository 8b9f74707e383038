CREATE TABLE IF NOT EXISTS {database}.events {on_cluster}
(
    event_id String COMMENT 'The producer''s own id, or a deterministic hash of the content' CODEC(ZSTD(1)),
    event_time DateTime64(3, 'UTC') COMMENT 'When it happened, corrected for clock skew' CODEC(DoubleDelta, ZSTD(1)),
    received_time DateTime64(3, 'UTC') COMMENT 'When the producer''s server received it; the time of the Kafka record where the producer says nothing' CODEC(Delta, ZSTD(1)),
    processed_time DateTime64(3, 'UTC') COMMENT 'When Seamline processed the batch that it came with' CODEC(Delta, ZSTD(1)),
    source LowCardinality(String) COMMENT 'Kind of producer: segment, rudderstack, sendgrid, mailgun, postmark, ses, brevo, seamline, square, shopify, lightspeed and so on',
    channel LowCardinality(String) COMMENT 'Where it happened: web, app, store, email, sms, whatsapp, push, social, call',
    type LowCardinality(String) COMMENT 'Canonical type of the event, such as product_view, order or message_open',
    profile_id UUID COMMENT 'The person as resolved when the event was processed; all zero where no person is known. The view events_resolved follows later merges',
    session_id UInt64 COMMENT 'Session on web or app; 0 for none',
    identifiers Array(UInt64) COMMENT 'Ids of the table identifiers that the event names, highest priority first',
    order_id String COMMENT 'Order, receipt or original receipt that the event is about; empty for none',
    sku String COMMENT 'Product of events about a single product; empty for none' CODEC(ZSTD(1)),
    quantity Decimal(18, 4) COMMENT 'How many of the product; 0 where the event says nothing',
    amount Decimal(18, 4) COMMENT 'Amount as the producer gave it, never negative for order, refund and void: order total, refund total or value of the product',
    revenue Decimal(18, 4) COMMENT 'Signed change of net revenue, so that its sum over all events is the net revenue, with refunds and voids taken off',
    currency LowCardinality(String) COMMENT 'ISO 4217 code of amount and revenue; empty where the event has no money',
    store_id LowCardinality(String) COMMENT 'Store of till events; empty for none',
    page_url String COMMENT 'Address of the page' CODEC(ZSTD(1)),
    page_path String COMMENT 'Path of the page' CODEC(ZSTD(1)),
    referrer String COMMENT 'Address that the person came from' CODEC(ZSTD(1)),
    campaign_id LowCardinality(String) COMMENT 'Campaign that brought the person, or that the message is part of',
    campaign_source LowCardinality(String) COMMENT 'Source of the campaign, as in utm_source',
    campaign_medium LowCardinality(String) COMMENT 'Medium of the campaign, as in utm_medium',
    campaign_name LowCardinality(String) COMMENT 'Name of the campaign, as in utm_campaign',
    message_id String COMMENT 'Message that was sent, opened or clicked; empty for other events' CODEC(ZSTD(1)),
    link_url String COMMENT 'Link that was clicked' CODEC(ZSTD(1)),
    variant LowCardinality(String) COMMENT 'Arm of an experiment, or variant of the product',
    dwell_ms Int64 COMMENT 'Milliseconds that the person stayed; 0 where the event says nothing' CODEC(ZSTD(1)),
    machine Bool COMMENT 'An open or click by a bot or a privacy proxy, not by a person',
    country LowCardinality(String) COMMENT 'ISO 3166 alpha-2 code, upper case; empty where unknown',
    properties {properties_type} COMMENT 'JSON object of what has no column of its own; never contact data' CODEC(ZSTD(1)),
    kafka_topic LowCardinality(String) COMMENT 'Topic of the record that the event came in',
    kafka_partition Int32 COMMENT 'Partition of the record',
    kafka_offset Int64 COMMENT 'Offset of the record' CODEC(Delta, ZSTD(1)),
    element UInt32 COMMENT 'Position of the event within a record that holds several; 0 for the first',
    _batch UInt64 COMMENT 'Number of the batch that wrote the row; the newest row of a key counts' CODEC(Delta, ZSTD(1)),
    INDEX by_profile_id profile_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_order_id order_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_event_id event_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = {replicated}ReplacingMergeTree(_batch)
PARTITION BY toYYYYMM(event_time)
PRIMARY KEY (event_time, source)
ORDER BY (event_time, source, event_id)
SETTINGS non_replicated_deduplication_window = 100000, replicated_deduplication_window = 100000, replicated_deduplication_window_seconds = 604800
COMMENT 'One row per accepted event. The key is time, source and event id, so that sending a row again is harmless'
