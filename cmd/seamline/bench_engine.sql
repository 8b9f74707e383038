-- JSONAsString: each record is one string, which the view takes apart with a single JSONExtract.
-- Blocks are large; near the end of the topic a poll that finds nothing ends its block soon, so that no flush interval is waited for.
CREATE TABLE {database}.engine_queue (message String)
ENGINE = Kafka
SETTINGS kafka_broker_list = '{brokers}', kafka_topic_list = '{topic}', kafka_group_name = '{group}', kafka_format = 'JSONAsString',
    kafka_num_consumers = {consumers}, kafka_thread_per_consumer = 1, kafka_max_block_size = 150000, kafka_poll_max_batch_size = 150000,
    kafka_flush_interval_ms = 7500, kafka_poll_timeout_ms = 10;

CREATE MATERIALIZED VIEW {database}.engine_view TO {database}.events AS
SELECT
    c.messageId AS event_id,
    if(c.timestamp > 0, c.timestamp, c.originalTimestamp) AS event_time,
    if(c.receivedAt > 0, c.receivedAt, _timestamp_ms) AS received_time,
    now64(3) AS processed_time,
    if(c.rudderId != '', 'rudderstack', 'segment') AS source,
    if(position(c.context.library.name, 'swift') > 0 OR position(c.context.library.name, 'ios') > 0, 'app', 'web') AS channel,
    transform(if(c.type = 'track', c.event, c.type),
        ['Products Searched', 'Product List Viewed', 'Product List Filtered', 'Promotion Viewed', 'Promotion Clicked', 'Product Clicked', 'Product Viewed',
         'Product Added', 'Product Removed', 'Cart Viewed', 'Checkout Started', 'Checkout Step Viewed', 'Checkout Step Completed', 'Order Completed',
         'Signed In', 'Signed Out', 'Signed Up', 'Product Added to Wishlist', 'Product Removed from Wishlist', 'Product Shared', 'Product Reviewed',
         'Coupon Applied', 'Coupon Denied', 'Application Installed', 'page', 'screen', 'identify', 'alias', 'group', 'merge'],
        ['search', 'product_list_view', 'product_list_view', 'promo_view', 'promo_click', 'product_click', 'product_view',
         'cart_add', 'cart_remove', 'cart_view', 'checkout_start', 'checkout_step', 'checkout_step', 'order',
         'login', 'logout', 'signup', 'wishlist_add', 'wishlist_remove', 'share', 'review',
         'coupon_applied', 'coupon_denied', 'app_install', 'page_view', 'screen_view', 'identify', 'alias', 'group', 'alias'], 'custom') AS type,
    c.properties.order_id AS order_id,
    c.properties.sku AS sku,
    c.properties.quantity AS quantity,
    if(c.properties.value != 0, c.properties.value, if(c.properties.total != 0, c.properties.total, c.properties.price)) AS amount,
    c.properties.currency AS currency,
    c.properties.store_id AS store_id,
    c.context.page.url AS page_url,
    c.context.page.path AS page_path,
    c.context.page.referrer AS referrer,
    c.context.campaign.id AS campaign_id,
    c.context.campaign.source AS campaign_source,
    c.context.campaign.medium AS campaign_medium,
    c.context.campaign.name AS campaign_name,
    c.traits.address.country AS country,
    simpleJSONExtractRaw(message, 'properties') AS properties,
    _topic AS kafka_topic, _partition AS kafka_partition, _offset AS kafka_offset, 1 AS _batch
FROM (
    SELECT message, _topic, _partition, _offset, _timestamp_ms, JSONExtract(message, 'Tuple(
        type String, event String, messageId String, rudderId String,
        timestamp DateTime64(3), originalTimestamp DateTime64(3), receivedAt DateTime64(3),
        context Tuple(library Tuple(name String), page Tuple(url String, path String, referrer String),
            campaign Tuple(id String, name String, source String, medium String)),
        traits Tuple(address Tuple(country String)),
        properties Tuple(sku String, quantity Float64, value Float64, total Float64, price Float64, currency String, order_id String, store_id String))') AS c
    FROM {database}.engine_queue
)
SETTINGS date_time_input_format = 'best_effort';

-- JSONEachRow: ClickHouse reads the calls into columns, and the view takes the properties apart, which stay a string for their column.
CREATE TABLE {database}.engine_queue (
    type String, event String, messageId String, rudderId String,
    timestamp DateTime64(3, 'UTC'), originalTimestamp DateTime64(3, 'UTC'), receivedAt DateTime64(3, 'UTC'),
    context Tuple(library Tuple(name String), page Tuple(url String, path String, referrer String),
        campaign Tuple(id String, name String, source String, medium String)),
    traits Tuple(address Tuple(country String)),
    properties String)
ENGINE = Kafka
SETTINGS kafka_broker_list = '{brokers}', kafka_topic_list = '{topic}', kafka_group_name = '{group}', kafka_format = 'JSONEachRow',
    kafka_num_consumers = {consumers}, kafka_thread_per_consumer = 1, kafka_max_block_size = 150000, kafka_poll_max_batch_size = 150000,
    kafka_flush_interval_ms = 7500, kafka_poll_timeout_ms = 10, date_time_input_format = 'best_effort', input_format_skip_unknown_fields = 1,
    input_format_json_read_objects_as_strings = 1, input_format_json_ignore_unknown_keys_in_named_tuple = 1;

CREATE MATERIALIZED VIEW {database}.engine_view TO {database}.events AS
SELECT
    messageId AS event_id,
    if(timestamp > 0, timestamp, originalTimestamp) AS event_time,
    if(receivedAt > 0, receivedAt, _timestamp_ms) AS received_time,
    now64(3) AS processed_time,
    if(rudderId != '', 'rudderstack', 'segment') AS source,
    if(position(context.library.name, 'swift') > 0 OR position(context.library.name, 'ios') > 0, 'app', 'web') AS channel,
    transform(if(kind = 'track', event, kind),
        ['Products Searched', 'Product List Viewed', 'Product List Filtered', 'Promotion Viewed', 'Promotion Clicked', 'Product Clicked', 'Product Viewed',
         'Product Added', 'Product Removed', 'Cart Viewed', 'Checkout Started', 'Checkout Step Viewed', 'Checkout Step Completed', 'Order Completed',
         'Signed In', 'Signed Out', 'Signed Up', 'Product Added to Wishlist', 'Product Removed from Wishlist', 'Product Shared', 'Product Reviewed',
         'Coupon Applied', 'Coupon Denied', 'Application Installed', 'page', 'screen', 'identify', 'alias', 'group', 'merge'],
        ['search', 'product_list_view', 'product_list_view', 'promo_view', 'promo_click', 'product_click', 'product_view',
         'cart_add', 'cart_remove', 'cart_view', 'checkout_start', 'checkout_step', 'checkout_step', 'order',
         'login', 'logout', 'signup', 'wishlist_add', 'wishlist_remove', 'share', 'review',
         'coupon_applied', 'coupon_denied', 'app_install', 'page_view', 'screen_view', 'identify', 'alias', 'group', 'alias'], 'custom') AS type,
    p.order_id AS order_id,
    p.sku AS sku,
    p.quantity AS quantity,
    if(p.value != 0, p.value, if(p.total != 0, p.total, p.price)) AS amount,
    p.currency AS currency,
    p.store_id AS store_id,
    context.page.url AS page_url,
    context.page.path AS page_path,
    context.page.referrer AS referrer,
    context.campaign.id AS campaign_id,
    context.campaign.source AS campaign_source,
    context.campaign.medium AS campaign_medium,
    context.campaign.name AS campaign_name,
    traits.address.country AS country,
    properties,
    _topic AS kafka_topic, _partition AS kafka_partition, _offset AS kafka_offset, 1 AS _batch
FROM (
    SELECT *, type AS kind, _topic, _partition, _offset, _timestamp_ms, JSONExtract(properties, 'Tuple(
        sku String, quantity Float64, value Float64, total Float64, price Float64, currency String, order_id String, store_id String)') AS p
    FROM {database}.engine_queue
);
