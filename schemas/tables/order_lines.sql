CREATE TABLE IF NOT EXISTS {database}.order_lines {on_cluster}
(
    order_id String COMMENT 'Order or receipt',
    store_id LowCardinality(String) COMMENT 'Store of till receipts, whose numbers repeat from store to store; empty elsewhere',
    line_id String COMMENT 'Line of the producer, or its position from 1. Lines of a refund start with the id of the refund event and a slash, lines of a void or cancellation with void and a slash, so that they stand beside the lines of the sale',
    event_id String COMMENT 'Event that the line came with',
    type LowCardinality(String) COMMENT 'Type of that event: order, order_update, refund, void or order_cancel',
    order_version Int64 COMMENT 'Version of the order that the line is of; grows with each update of the whole order, 0 where the producer has none',
    time DateTime64(3, 'UTC') COMMENT 'When the event happened' CODEC(Delta, ZSTD(1)),
    profile_id UUID COMMENT 'The person as resolved when the event was processed; all zero where no person is known',
    channel LowCardinality(String) COMMENT 'Where it was bought or given back: web, app, store and so on',
    sku String COMMENT 'Product',
    name String COMMENT 'Name of the product as the producer gave it' CODEC(ZSTD(1)),
    category LowCardinality(String) COMMENT 'Category of the product',
    brand LowCardinality(String) COMMENT 'Brand of the product',
    quantity Decimal(18, 4) COMMENT 'How many; negative for refunds, voids and cancellations',
    unit_price Decimal(18, 4) COMMENT 'Price of one, never negative by itself',
    discount Decimal(18, 4) COMMENT 'Discount of the line; negative for refunds, voids and cancellations, which take it back',
    total Decimal(18, 4) COMMENT 'Total of the line; negative for refunds, voids and cancellations',
    cost Decimal(18, 4) COMMENT 'Cost of the whole line; negative for refunds, voids and cancellations; 0 where unknown',
    currency LowCardinality(String) COMMENT 'ISO 4217 code of all money of the row',
    _batch UInt64 COMMENT 'Number of the batch that wrote the row' CODEC(Delta, ZSTD(1)),
    _version UInt128 COMMENT 'Order version, then batch, then place within the batch: the largest row of a key counts' CODEC(ZSTD(1)),
    INDEX by_time time TYPE minmax GRANULARITY 1,
    INDEX by_sku sku TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_profile_id profile_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = {replicated}ReplacingMergeTree(_version)
ORDER BY (order_id, store_id, line_id)
SETTINGS non_replicated_deduplication_window = 100000, replicated_deduplication_window = 100000, replicated_deduplication_window_seconds = 604800
COMMENT 'One row per line of an order, receipt, refund or void. A newer version of an order replaces lines of the same id; the view order_lines_current also leaves out lines that a newer version no longer has'
