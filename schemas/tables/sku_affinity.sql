CREATE VIEW IF NOT EXISTS {database}.sku_affinity {on_cluster}
(
    kind LowCardinality(String) COMMENT 'basket: bought in one order of the latest 365 days; session: looked at or put into the cart in one session of the latest 14 days',
    sku_a String COMMENT 'Product that comes first by name',
    sku_b String COMMENT 'The other product',
    together Int64 COMMENT 'Baskets or sessions with both; pairs with fewer than 3 are left out',
    with_a Int64 COMMENT 'Those with sku_a',
    with_b Int64 COMMENT 'Those with sku_b',
    baskets Int64 COMMENT 'All baskets or sessions',
    support Float64 COMMENT 'together per all',
    lift Float64 COMMENT 'How much more often together than by chance: baskets * together / (with_a * with_b)',
    llr Float64 COMMENT 'Log-likelihood ratio (Dunning 1993): how sure it is that this is not by chance',
    margin Float64 COMMENT 'What is left of one piece of both on average: total less cost of the lines of the latest 365 days',
    bundle_value Float64 COMMENT 'lift times margin'
)
AS WITH (SELECT least(max(event_time), now64(3, 'UTC')) FROM {database}.events) AS until,
    (
        SELECT (groupArray(item), groupArray(toInt64(n)), groupArray(margin)) FROM
        (
            SELECT sku AS item, count() AS n, (sum(worth) - sum(spent)) / greatest(sum(pieces), 1) AS margin FROM
            (
                SELECT sku, toFloat64(sum(total)) AS worth, toFloat64(sum(cost)) AS spent, toFloat64(sum(quantity)) AS pieces FROM {database}.order_lines FINAL
                WHERE type IN ('order', 'order_update') AND sku != '' AND time > until - INTERVAL 365 DAY GROUP BY order_id, store_id, sku
            )
            GROUP BY sku
        )
    ) AS bought,
    (SELECT toInt64(uniqExact(order_id, store_id)) FROM {database}.order_lines FINAL WHERE type IN ('order', 'order_update') AND sku != '' AND time > until - INTERVAL 365 DAY) AS baskets_all,
    (SELECT (groupArray(item), groupArray(toInt64(n))) FROM (SELECT sku AS item, uniqExact(session_id) AS n FROM {database}.events FINAL WHERE event_time > until - INTERVAL 14 DAY AND session_id != 0 AND type IN ('product_view', 'cart_add') AND sku != '' GROUP BY sku)) AS seen,
    (SELECT toInt64(uniqExact(session_id)) FROM {database}.events FINAL WHERE event_time > until - INTERVAL 14 DAY AND session_id != 0 AND type IN ('product_view', 'cart_add') AND sku != '') AS sessions_all
SELECT kind, sku_a, sku_b, together, with_a, with_b, grand AS baskets, together / grand AS support, grand * together / (with_a * with_b) AS lift,
    2 * (if(together > 0, (together) * log(together), 0) + if(with_a - together > 0, (with_a - together) * log(with_a - together), 0) + if(with_b - together > 0, (with_b - together) * log(with_b - together), 0) + if(grand + together - with_a - with_b > 0, (grand + together - with_a - with_b) * log(grand + together - with_a - with_b), 0)
        - if(with_a > 0, (with_a) * log(with_a), 0) - if(grand - with_a > 0, (grand - with_a) * log(grand - with_a), 0) - if(with_b > 0, (with_b) * log(with_b), 0) - if(grand - with_b > 0, (grand - with_b) * log(grand - with_b), 0) + if(grand > 0, (grand) * log(grand), 0)) AS llr,
    transform(sku_a, bought.1, bought.3, 0.) + transform(sku_b, bought.1, bought.3, 0.) AS margin, lift * margin AS bundle_value
FROM
(
    SELECT 'basket' AS kind, pair.1 AS sku_a, pair.2 AS sku_b, toInt64(count()) AS together, transform(sku_a, bought.1, bought.2, toInt64(0)) AS with_a,
        transform(sku_b, bought.1, bought.2, toInt64(0)) AS with_b, assumeNotNull(baskets_all) AS grand
    FROM (SELECT arrayJoin(arrayFlatten(arrayMap(i -> arrayMap(other -> (skus[i], other), arraySlice(skus, i + 1)), range(1, length(skus))))) AS pair FROM (SELECT arraySlice(arraySort(groupUniqArray(sku)), 1, 50) AS skus FROM {database}.order_lines FINAL WHERE type IN ('order', 'order_update') AND sku != '' AND time > until - INTERVAL 365 DAY GROUP BY order_id, store_id))
    GROUP BY pair
    HAVING together >= 3
    UNION ALL
    SELECT 'session' AS kind, pair.1 AS sku_a, pair.2 AS sku_b, toInt64(count()) AS together, transform(sku_a, seen.1, seen.2, toInt64(0)) AS with_a,
        transform(sku_b, seen.1, seen.2, toInt64(0)) AS with_b, assumeNotNull(sessions_all) AS grand
    FROM (SELECT arrayJoin(arrayFlatten(arrayMap(i -> arrayMap(other -> (skus[i], other), arraySlice(skus, i + 1)), range(1, length(skus))))) AS pair FROM (SELECT arraySlice(arraySort(groupUniqArray(sku)), 1, 50) AS skus FROM {database}.events FINAL WHERE event_time > until - INTERVAL 14 DAY AND session_id != 0 AND type IN ('product_view', 'cart_add') AND sku != '' GROUP BY session_id))
    GROUP BY pair
    HAVING together >= 3
)
COMMENT 'Pairs of products that people buy or look at together. Counted on baskets and sessions, so that it does not depend on who is one person'
