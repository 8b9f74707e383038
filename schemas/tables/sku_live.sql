CREATE VIEW IF NOT EXISTS {database}.sku_live {on_cluster}
(
    sku String COMMENT 'Product',
    channel LowCardinality(String) COMMENT 'Channel of the views, carts and sales',
    name String COMMENT 'Name of the product; empty where the catalog does not know it',
    views_24h UInt64 COMMENT 'Product views in the latest 24 hours',
    views_7d UInt64 COMMENT 'Product views in the latest 7 days',
    carts_24h UInt64 COMMENT 'Times that it was put into a cart in the latest 24 hours',
    carts_7d UInt64 COMMENT 'Times that it was put into a cart in the latest 7 days',
    sales_24h Decimal(18, 4) COMMENT 'Pieces sold less given back in the latest 24 hours',
    sales_7d Decimal(18, 4) COMMENT 'Pieces sold less given back in the latest 7 days',
    revenue_24h Decimal(38, 4) COMMENT 'Net revenue in the latest 24 hours',
    revenue_7d Decimal(38, 4) COMMENT 'Net revenue in the latest 7 days',
    currency LowCardinality(String) COMMENT 'ISO 4217 code of revenue, else of price',
    price Decimal(18, 4) COMMENT 'What it costs now, everywhere but in stores with a price of their own; 0 where unknown',
    stock Decimal(18, 4) COMMENT 'Pieces there now: in all stores for the channel store, else online',
    in_stock Bool COMMENT 'Whether there are pieces, or the catalog says that there are where nobody tells how many',
    stock_known Bool COMMENT 'Whether anybody told how many there are'
)
AS WITH (SELECT least(max(event_time), now64(3, 'UTC')) FROM {database}.events) AS until
SELECT e.sku AS sku, e.channel AS channel, c.name AS name, sum(e.views_1) AS views_24h, sum(e.views) AS views_7d, sum(e.carts_1) AS carts_24h, sum(e.carts) AS carts_7d, sum(e.sales_1) AS sales_24h, sum(e.sales) AS sales_7d,
    sum(e.revenue_1) AS revenue_24h, sum(e.revenue) AS revenue_7d, if(max(e.money) = '', any(c.currency), max(e.money)) AS currency, any(c.price) AS price,
    any(if(e.channel = 'store', s.store, s.online)) AS stock, toBool(if(stock_known, stock > 0, any(c.availability) = 'in_stock')) AS in_stock, toBool(any(if(e.channel = 'store', s.stores, s.onlines) > 0)) AS stock_known
FROM
(
    SELECT sku, channel, countIf(type = 'product_view' AND event_time > until - INTERVAL 1 DAY) AS views_1, countIf(type = 'product_view') AS views,
        countIf(type = 'cart_add' AND event_time > until - INTERVAL 1 DAY) AS carts_1, countIf(type = 'cart_add') AS carts, toDecimal64(0, 4) AS sales_1, toDecimal64(0, 4) AS sales,
        toDecimal128(0, 4) AS revenue_1, toDecimal128(0, 4) AS revenue, '' AS money
    FROM {database}.events FINAL
    WHERE event_time > until - INTERVAL 7 DAY AND event_time <= until AND type IN ('product_view', 'cart_add') AND sku != ''
    GROUP BY sku, channel
    UNION ALL
    SELECT sku, channel, 0, 0, 0, 0, sumIf(quantity, time > until - INTERVAL 1 DAY), sum(quantity), sumIf(total, time > until - INTERVAL 1 DAY), sum(total), toString(max(currency))
    FROM
    (
        SELECT sku, channel, time, quantity, total, currency, event_id, type IN ('order', 'order_update') AS is_sale,
            argMax(event_id, _version) OVER (PARTITION BY order_id, store_id, is_sale) AS newest
        FROM {database}.order_lines FINAL
        WHERE time > until - INTERVAL 7 DAY AND time <= until
    )
    WHERE sku != '' AND (NOT is_sale OR event_id = newest)
    GROUP BY sku, channel
) AS e
LEFT ANY JOIN (SELECT sku, name, price, currency, availability FROM {database}.catalog FINAL WHERE store_id = '') AS c ON e.sku = c.sku
LEFT ANY JOIN
(
    SELECT sku, sumIf(quantity, store_id != '') AS store, sumIf(quantity, store_id = '') AS online, countIf(store_id != '') AS stores, countIf(store_id = '') AS onlines
    FROM {database}.stock FINAL GROUP BY sku
) AS s ON e.sku = s.sku
GROUP BY sku, channel, name
COMMENT 'What goes on with each product per channel, up to the latest event: views, carts, sales, price and stock'
