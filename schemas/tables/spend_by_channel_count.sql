CREATE VIEW IF NOT EXISTS {database}.spend_by_channel_count {on_cluster}
(
    counted LowCardinality(String) COMMENT 'What channels are counted: bought, those with orders, or seen, those with any event',
    channels UInt64 COMMENT 'How many channels',
    currency LowCardinality(String) COMMENT 'ISO 4217 code of revenue; empty for people without orders',
    people UInt64 COMMENT 'People with that many channels',
    orders Int64 COMMENT 'Their sales less voids',
    revenue Decimal(18, 4) COMMENT 'Their net revenue',
    revenue_per_person Float64 COMMENT 'Net revenue per person',
    orders_per_person Float64 COMMENT 'Sales per person',
    average_order_value Nullable(Float64) COMMENT 'Net revenue per sale; NULL without sales'
)
AS SELECT counter.1 AS counted, counter.2 AS channels, currency, count() AS people, sum(orders) AS orders, sum(revenue) AS revenue,
    toFloat64(revenue) / people AS revenue_per_person, orders / people AS orders_per_person, if(orders > 0, toFloat64(revenue) / orders, NULL) AS average_order_value
FROM
(
    SELECT currency, orders, revenue, arrayJoin([('seen', toUInt64(length(channel_events))), ('bought', toUInt64(length(mapFilter((c, n) -> n > 0, channel_orders))))]) AS counter
    FROM {database}.profiles FINAL
)
GROUP BY counted, channels, currency
COMMENT 'What people are worth by the number of channels that they were seen on or bought on. Correlation, not effect: people who buy more are seen on more channels'
