CREATE OR REPLACE VIEW {database}.order_lines_current {on_cluster}
(
    order_id String COMMENT 'Order or receipt',
    store_id LowCardinality(String) COMMENT 'Store of till receipts; empty elsewhere',
    line_id String COMMENT 'Line of the sale; lines of a refund start with the id of its event, lines of a void with void',
    event_id String COMMENT 'Event that the line came with',
    type LowCardinality(String) COMMENT 'order, order_update, refund, void or order_cancel',
    time DateTime64(3, 'UTC') COMMENT 'When the event happened',
    profile_id UUID COMMENT 'The person as known now, with merges and unmerges applied; all zero where no person is known',
    channel LowCardinality(String) COMMENT 'Where it was bought or given back',
    sku String COMMENT 'Product',
    name String COMMENT 'Name of the product',
    category LowCardinality(String) COMMENT 'Category of the product',
    brand LowCardinality(String) COMMENT 'Brand of the product',
    quantity Decimal(18, 4) COMMENT 'How many; negative for refunds, voids and cancellations',
    unit_price Decimal(18, 4) COMMENT 'Price of one',
    discount Decimal(18, 4) COMMENT 'Discount of the line; negative for refunds, voids and cancellations',
    total Decimal(18, 4) COMMENT 'Total of the line; negative for refunds, voids and cancellations',
    cost Decimal(18, 4) COMMENT 'Cost of the whole line; negative for refunds, voids and cancellations',
    currency LowCardinality(String) COMMENT 'ISO 4217 code of all money of the row'
)
AS SELECT order_id, store_id, line_id, event_id, type, time,
    dictGetOrDefault('{database}.aliases_recent', 'profile_id', tuple(
            dictGetOrDefault('{database}.leaves_recent', 'profile_id', leaf,
                dictGetOrDefault('{database}.leaves_settled', 'profile_id', leaf, processed)) AS attributed),
        dictGetOrDefault('{database}.aliases_settled', 'profile_id', tuple(attributed), attributed)) AS profile_id,
    channel, sku, name, category, brand, quantity, unit_price, discount, total, cost, currency
FROM
(
    SELECT * EXCEPT (profile_id), profile_id AS processed, type IN ('order', 'order_update') AS is_sale,
        argMax(event_id, _version) OVER (PARTITION BY order_id, store_id, is_sale) AS newest
    FROM {database}.order_lines FINAL
)
WHERE NOT is_sale OR event_id = newest
COMMENT 'Lines of orders as they stand: of the sale only those of the newest version, beside what was refunded and voided'
