CREATE VIEW IF NOT EXISTS {database}.customer_timeline {on_cluster}
(
    profile_id UUID COMMENT 'The person as known now, with merges and unmerges applied',
    time DateTime64(3, 'UTC') COMMENT 'When it happened',
    channel LowCardinality(String) COMMENT 'Where it happened',
    type LowCardinality(String) COMMENT 'Canonical type of the event',
    what String COMMENT 'What happened, in words',
    amount Decimal(18, 4) COMMENT 'Net revenue of orders, refunds and voids by sign, else value of the product; 0 for no money',
    currency LowCardinality(String) COMMENT 'ISO 4217 code of amount',
    sku String COMMENT 'Product; empty for none',
    order_id String COMMENT 'Order; empty for none',
    session_id UInt64 COMMENT 'Session on web or app, with sessions that joined since; 0 for none',
    event_id String COMMENT 'The event'
)
AS SELECT profile_id, event_time AS time, channel, type, multiIf(type IN ('page_view', 'screen_view'), concat('looked at ', if(page_path = '', 'a page', page_path)),
        type = 'product_view', concat('looked at product ', sku), type = 'product_click', concat('clicked product ', sku),
        type = 'cart_add', concat('put ', sku, ' into the cart'), type = 'cart_remove', concat('took ', sku, ' out of the cart'),
        type = 'checkout_start', 'went to the checkout', type IN ('order', 'order_update'), concat('ordered, order ', order_id, if(store_id = '', '', concat(' in store ', store_id))),
        type = 'refund', concat('gave back, order ', order_id), type IN ('void', 'order_cancel'), concat('cancelled order ', order_id),
        type = 'message_sent', concat('was sent ', if(campaign_name = '', 'a message', campaign_name)),
        type = 'message_open', concat(if(machine, 'a machine opened ', 'opened '), if(campaign_name = '', 'a message', campaign_name)),
        type = 'message_click', concat(if(machine, 'a machine clicked in ', 'clicked in '), if(campaign_name = '', 'a message', campaign_name), if(link_url = '', '', concat(': ', link_url))),
        type = 'store_visit', concat('visited store ', store_id), replaceAll(toString(type), '_', ' ')) AS what, if(revenue != 0, revenue, amount) AS amount, currency, sku, order_id,
    if(s.became != 0, s.became, e.session_id) AS session_id, event_id
FROM
(
    SELECT profile_id, event_id, event_time, channel, type, session_id, order_id, sku, quantity, amount, revenue, currency, store_id, page_path, campaign_name, link_url, variant, machine FROM {database}.events FINAL
    WHERE NOT dictHas('{database}.aliases_recent', tuple(profile_id)) AND NOT dictHas('{database}.aliases_settled', tuple(profile_id))
        AND NOT dictHas('{database}.leaves_recent', leaf) AND NOT dictHas('{database}.leaves_settled', leaf)
    UNION ALL
    SELECT dictGetOrDefault('{database}.aliases_recent', 'profile_id', tuple(
            dictGetOrDefault('{database}.leaves_recent', 'profile_id', leaf,
                dictGetOrDefault('{database}.leaves_settled', 'profile_id', leaf, raw)) AS attributed),
        dictGetOrDefault('{database}.aliases_settled', 'profile_id', tuple(attributed), attributed)) AS profile_id, * EXCEPT (raw, leaf)
    FROM
    (
        SELECT profile_id AS raw, leaf, event_id, event_time, channel, type, session_id, order_id, sku, quantity, amount, revenue, currency, store_id, page_path, campaign_name, link_url, variant, machine FROM {database}.events FINAL
        WHERE profile_id IN (SELECT alias_id FROM dictionary('{database}.aliases_recent') UNION ALL SELECT alias_id FROM dictionary('{database}.aliases_settled'))
            OR leaf IN (SELECT leaf FROM dictionary('{database}.leaves_recent') UNION ALL SELECT leaf FROM dictionary('{database}.leaves_settled'))
    )
) AS e
LEFT ANY JOIN (SELECT session_id, became FROM {database}.session_aliases FINAL) AS s ON e.session_id = s.session_id
COMMENT 'What happened to each person, one row per event. Ask for one person at a time: the rows of people who were not merged or split lately are found by the index'
