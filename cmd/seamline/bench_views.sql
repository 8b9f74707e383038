INSERT INTO {database}.events (event_id, event_time, received_time, processed_time, source, channel, type, profile_id, session_id, leaf, order_id, sku, quantity, amount, revenue, currency, store_id, page_path, referrer, campaign_id, campaign_source, campaign_medium, campaign_name, message_id, variant, machine, country, properties, kafka_topic, kafka_offset, _batch)
WITH intDiv(number, 8) AS s, number % 8 AS step, cityHash64(s) AS h, cityHash64(h) AS h2, toUInt32(pow(h2 % 1000000 / 1000000., 1.3) * {events} / 20) AS person,
    multiIf(h % 100 < 55, 'web', h % 100 < 70, 'app', h % 100 < 88, 'email', 'store') AS place,
    place IN ('web', 'app') AND (h2 % 100) < 12 AS buys,
    place = 'web' AND step = 6 AND h2 % 3 = 0 AND s BETWEEN {events} / 8 * 0.84 AND {events} / 8 * 0.92 AS is_exposure, concat('SKU-', toString(intDiv(cityHash64(s, intDiv(step, 2)) % 40000 * (cityHash64(step, s) % 1000), 8000))) AS product
SELECT concat('e', toString(number)) AS event_id, now64(3, 'UTC') - toIntervalSecond(31536000) + toIntervalMillisecond(toInt64(31536000000. * s / ({events} / 8))) + toIntervalSecond(step * 40) AS event_time, event_time, event_time,
    'segment', place,
    multiIf(place = 'email', multiIf(step = 0, 'message_sent', step = 1, 'message_delivered', step < 4, 'message_open', step = 4 AND h2 % 4 = 0, 'message_click', step = 7 AND h2 % 300 = 0, 'message_unsubscribe', 'message_open'),
        place = 'store', if(step = 0, 'order', 'store_visit'),
        is_exposure, 'custom',
        multiIf(step = 0, 'page_view', step < 5, 'product_view', step = 5, if(h2 % 100 < 35, 'cart_add', 'product_view'), step = 6, if(h2 % 100 < 20, 'checkout_start', 'page_view'), buys, 'order', h2 % 97 = 50, 'identify', 'product_view')) AS kind,
    reinterpretAsUUID(sipHash128(person)), if(place IN ('web', 'app'), h, 0), person + 1,
    if(kind = 'order', concat('o', toString(s)), ''), if(kind IN ('product_view', 'cart_add'), product, ''), if(kind = 'cart_add', 1, 0),
    if(kind = 'order', 10 + h % 90, 0), if(kind = 'order', 10 + h % 90, 0), if(kind = 'order', 'EUR', ''), if(place = 'store', concat('store ', toString(h % 40)), ''), '/p',
    if(step = 0 AND place = 'web' AND h % 10 < 4, 'https://www.google.com/', ''), if(place = 'email', concat('c', toString(intDiv(s, {events} / 8 / 60))), ''),
    if(step = 0 AND place = 'web' AND h % 10 = 7, 'google', if(step = 0 AND place = 'web' AND h % 10 = 8, 'meta', '')), if(step = 0 AND place = 'web' AND h % 10 = 7, 'cpc', if(step = 0 AND place = 'web' AND h % 10 = 8, 'social', if(place = 'email', 'email', ''))),
    if(place = 'email', concat('mailing ', toString(intDiv(s, {events} / 8 / 60))), ''), if(place = 'email', concat('m', toString(s)), ''), if(is_exposure, if(person % 2 = 0, 'control', 'green button'), ''), place = 'email' AND step IN (2, 3), 'DE', if(is_exposure, '{"event":"Experiment Viewed","experiment_name":"checkout"}', ''), 'clickstream', number, 1
FROM numbers({events})
SETTINGS max_insert_threads = 2, max_insert_block_size = 1048576, insert_deduplicate = 0, max_partitions_per_insert_block = 100;
OPTIMIZE TABLE {database}.events FINAL;
INSERT INTO {database}.order_lines (order_id, store_id, line_id, event_id, type, time, profile_id, leaf, channel, sku, name, category, brand, quantity, unit_price, discount, total, cost, currency, _batch, _version)
SELECT order_id, store_id, toString(line), event_id, type, event_time, profile_id, leaf, channel,
    concat('SKU-', toString(intDiv(cityHash64(event_id, line) % 8000 * (cityHash64(line, event_id) % 1000), 1000))) AS product, product, concat('category ', toString(cityHash64(product) % 40)), concat('brand ', toString(cityHash64(product) % 200)),
    1, 20, if(line = 2, 2, 0), if(line = 2, 18, 20), 11, 'EUR', 1, 1
FROM (SELECT * FROM {database}.events WHERE type = 'order') ARRAY JOIN range(1, 2 + cityHash64(event_id) % 4) AS line;
OPTIMIZE TABLE {database}.order_lines FINAL;
INSERT INTO {database}.catalog (sku, name, category, brand, price, list_price, cost, currency, availability, since, _batch, _version) SELECT concat('SKU-', toString(number)) AS product, product, concat('category ', toString(number % 40)), 'b', 20, 22, 11, 'EUR', 'in_stock', now64(3, 'UTC'), 1, 1 FROM numbers(8000);
INSERT INTO {database}.stock (sku, store_id, quantity, since, _batch, _version)
SELECT concat('SKU-', toString(number % 8000)), if(number < 8000, '', concat('store ', toString(intDiv(number, 8000)))), number % 7, now64(3, 'UTC'), 1, 1 FROM numbers(88000);
INSERT INTO {database}.profiles (profile_id, profile_index, user_ids, identifiers, first_seen, last_seen, events, channel_events, channel_first_seen, channel_last_seen, channel_orders, channel_revenue, stage, stage_since, sessions, orders, purchase_days, revenue, currency, first_order, last_order, store_orders, online_orders, checkout_at, cart_updated, scored_at, models, repeat_days, repeat_span, tenure, alive_mbgnbd, lifetime_value, recommended_skus, shard, version)
SELECT profile_id, leaf, 1, 2, min(event_time), max(event_time), count(), sumMap(map(channel, toUInt64(1))), minMap(map(channel, event_time)), maxMap(map(channel, event_time)),
    sumMapIf(map(channel, toInt64(1)), type = 'order'), sumMapIf(map(channel, revenue), type = 'order'),
    multiIf(countIf(type = 'order') > 1, 'repeat', countIf(type = 'order') = 1, 'customer', 'engaged'), max(event_time), uniq(session_id), countIf(type = 'order'), countIf(type = 'order'), sum(revenue), 'EUR', minIf(event_time, type = 'order'), maxIf(event_time, type = 'order'), countIf(type = 'order' AND channel = 'store'), countIf(type = 'order' AND channel != 'store'), maxIf(event_time, type = 'checkout_start'), maxIf(event_time, type = 'cart_add'), max(event_time), 1, greatest(countIf(type = 'order'), 1) - 1, 30, 60, 0.5, rand() % 1000, ['SKU-1', 'SKU-2'], 1, 1
FROM {database}.events GROUP BY profile_id, leaf;
OPTIMIZE TABLE {database}.profiles FINAL;
INSERT INTO {database}.models (name, version, parameters, _batch) VALUES ('mbgnbd', 1, {'r': 0.525, 'alpha': 6.183, 'a': 0.891, 'b': 1.614}, 1);
