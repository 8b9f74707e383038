CREATE VIEW IF NOT EXISTS {database}.channel_results {on_cluster}
(
    channel LowCardinality(String) COMMENT 'Where it was bought or given back',
    currency LowCardinality(String) COMMENT 'ISO 4217 code of all money of the row',
    orders Int64 COMMENT 'Sales less voids',
    refunds UInt64 COMMENT 'Refunds',
    lines UInt64 COMMENT 'Lines sold',
    promoted_lines UInt64 COMMENT 'Lines sold with a discount',
    pieces Decimal(18, 4) COMMENT 'Pieces sold, less those given back',
    revenue Decimal(38, 4) COMMENT 'Net revenue, with refunds and voids taken off',
    discount Decimal(38, 4) COMMENT 'Discounts of lines, net',
    goods_cost Decimal(38, 4) COMMENT 'Cost of the goods of lines whose cost is known, net',
    margin Decimal(38, 4) COMMENT 'Revenue less goods_cost',
    margin_share Nullable(Float64) COMMENT 'Margin per revenue; NULL without revenue',
    lines_without_cost UInt64 COMMENT 'Lines sold whose cost nobody told: they make margin too large'
)
AS SELECT channel, currency, sum(n_orders) AS orders, sum(n_refunds) AS refunds, sum(n_lines) AS lines, sum(n_promoted) AS promoted_lines, sum(n_pieces) AS pieces, sum(n_revenue) AS revenue,
    sum(n_discount) AS discount, sum(n_cost) AS goods_cost, revenue - goods_cost AS margin, toFloat64(margin) / nullIf(toFloat64(revenue), 0) AS margin_share, sum(n_costless) AS lines_without_cost
FROM
(
    SELECT channel, currency, toInt64(countIf(type = 'order')) - toInt64(countIf(type IN ('void', 'order_cancel'))) AS n_orders, countIf(type = 'refund') AS n_refunds,
        sum(revenue) AS n_revenue, 0 AS n_lines, 0 AS n_promoted, toDecimal64(0, 4) AS n_pieces, toDecimal64(0, 4) AS n_discount, toDecimal64(0, 4) AS n_cost, 0 AS n_costless
    FROM {database}.events FINAL
    WHERE type IN ('order', 'order_update', 'refund', 'void', 'order_cancel')
    GROUP BY channel, currency
    UNION ALL
    SELECT channel, currency, 0, 0, 0, countIf(is_sale), countIf(is_sale AND discount > 0), sum(quantity), sum(discount), sum(cost), countIf(is_sale AND cost = 0)
    FROM
    (
        SELECT channel, currency, quantity, discount, cost, type IN ('order', 'order_update') AS is_sale, event_id,
            argMax(event_id, _version) OVER (PARTITION BY order_id, store_id, is_sale) AS newest
        FROM {database}.order_lines FINAL
    )
    WHERE NOT is_sale OR event_id = newest
    GROUP BY channel, currency
)
GROUP BY channel, currency
COMMENT 'What each channel sold and what is left of it'
