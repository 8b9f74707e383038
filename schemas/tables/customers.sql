CREATE VIEW IF NOT EXISTS {database}.customers {on_cluster}
(
    profile_id UUID COMMENT 'The person',
    stage LowCardinality(String) COMMENT 'How far the person has come: stranger, visitor, engaged, known, considering, customer, repeat, loyal, at_risk, lapsed',
    stage_since DateTime64(3, 'UTC') COMMENT 'Since when the person is in that stage',
    first_seen DateTime64(3, 'UTC') COMMENT 'Time of the earliest event',
    last_seen DateTime64(3, 'UTC') COMMENT 'Time of the latest event',
    channels Array(LowCardinality(String)) COMMENT 'Channels that the person was seen on, sorted',
    channel_count UInt64 COMMENT 'How many channels that are',
    events UInt64 COMMENT 'Events on all channels',
    web_events UInt64 COMMENT 'Events on the web',
    app_events UInt64 COMMENT 'Events in the app',
    store_events UInt64 COMMENT 'Events in stores',
    email_events UInt64 COMMENT 'Events of e-mail',
    sessions UInt32 COMMENT 'Sessions on web and app',
    orders Int64 COMMENT 'Sales less voids',
    store_orders Int64 COMMENT 'Of them in stores',
    online_orders Int64 COMMENT 'Of them elsewhere',
    refunds Int64 COMMENT 'Refunds',
    revenue Decimal(18, 4) COMMENT 'Net revenue in the column currency',
    currency LowCardinality(String) COMMENT 'ISO 4217 code of most orders; empty before the first',
    average_order_value Nullable(Decimal(18, 4)) COMMENT 'Net revenue per order; NULL without orders',
    first_order Nullable(DateTime64(3, 'UTC')) COMMENT 'First sale; NULL for never',
    last_order Nullable(DateTime64(3, 'UTC')) COMMENT 'Latest sale; NULL for never',
    days_since_last_order Nullable(Int64) COMMENT 'Whole days from the latest sale until now; NULL for never',
    cart_skus Array(String) COMMENT 'Products in the open cart; empty without one',
    cart_quantity Decimal(18, 4) COMMENT 'Pieces in the open cart',
    cart_value Decimal(18, 4) COMMENT 'Value of the open cart',
    email_opens UInt64 COMMENT 'Opens by the person',
    email_clicks UInt64 COMMENT 'Clicks by the person',
    identifiers UInt32 COMMENT 'How many identifiers the person has',
    audiences Array(LowCardinality(String)) COMMENT 'Audiences that the person is in now, sorted'
)
AS SELECT
    p.profile_id AS profile_id, p.stage AS stage, p.stage_since AS stage_since, p.first_seen AS first_seen, p.last_seen AS last_seen,
    arraySort(mapKeys(p.channel_events)) AS channels, length(p.channel_events) AS channel_count, p.events AS events,
    p.channel_events['web'] AS web_events, p.channel_events['app'] AS app_events, p.channel_events['store'] AS store_events,
    p.channel_events['email'] AS email_events, p.sessions AS sessions, p.orders AS orders, p.store_orders AS store_orders,
    p.online_orders AS online_orders, p.refunds AS refunds, p.revenue AS revenue, p.currency AS currency,
    if(p.orders > 0, toDecimal64(p.revenue / p.orders, 4), NULL) AS average_order_value,
    nullIf(p.first_order, toDateTime64(0, 3, 'UTC')) AS first_order, nullIf(p.last_order, toDateTime64(0, 3, 'UTC')) AS last_order,
    if(p.last_order = toDateTime64(0, 3, 'UTC'), NULL, dateDiff('hour', p.last_order, now64(3, 'UTC')) DIV 24) AS days_since_last_order,
    p.cart_skus AS cart_skus, p.cart_quantity AS cart_quantity, p.cart_value AS cart_value,
    p.email_opens AS email_opens, p.email_clicks AS email_clicks, p.identifiers AS identifiers, m.audiences AS audiences
FROM (SELECT * FROM {database}.profiles FINAL) AS p
LEFT JOIN
(
    SELECT profile_id, arraySort(groupArray(audience)) AS audiences FROM {database}.audience_members FINAL WHERE member GROUP BY profile_id
) AS m ON p.profile_id = m.profile_id
COMMENT 'One readable row per living person, as of now'
