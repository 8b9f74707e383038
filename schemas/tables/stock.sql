CREATE TABLE IF NOT EXISTS {database}.stock {on_cluster}
(
    sku String COMMENT 'Product',
    store_id LowCardinality(String) COMMENT 'Store that the pieces are in; empty for those sold online',
    quantity Decimal(18, 4) COMMENT 'Pieces there now',
    availability LowCardinality(String) COMMENT 'in_stock, out_of_stock, preorder or backorder; empty where nothing was said',
    since DateTime64(3, 'UTC') COMMENT 'Time of the event that said so: the newest event of a product and store counts',
    _batch UInt64 COMMENT 'Number of the batch that wrote the row' CODEC(Delta, ZSTD(1)),
    _version UInt128 COMMENT 'Time of the event, then a hash of its source and id: the largest row of a key counts, whatever order events came in' CODEC(ZSTD(1))
)
ENGINE = {replicated}ReplacingMergeTree(_version)
ORDER BY (sku, store_id)
SETTINGS non_replicated_deduplication_window = 100000, replicated_deduplication_window = 100000, replicated_deduplication_window_seconds = 604800
COMMENT 'One row per product and store, as the newest stock_change event told'
