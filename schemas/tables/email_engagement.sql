CREATE VIEW IF NOT EXISTS {database}.email_engagement {on_cluster}
(
    channel LowCardinality(String) COMMENT 'Kind of message: email, sms, whatsapp, push',
    campaign_id LowCardinality(String) COMMENT 'Campaign; empty for messages of none',
    campaign_name LowCardinality(String) COMMENT 'Name of the campaign',
    first_time DateTime64(3, 'UTC') COMMENT 'The first event of the campaign',
    sent UInt64 COMMENT 'Messages sent',
    delivered UInt64 COMMENT 'Messages delivered; those that a machine opened were delivered as well',
    bounces UInt64 COMMENT 'Messages that bounced',
    human_opens UInt64 COMMENT 'Opens by people',
    machine_opens UInt64 COMMENT 'Opens by bots and privacy proxies, which say nothing about the person',
    human_clicks UInt64 COMMENT 'Clicks by people',
    machine_clicks UInt64 COMMENT 'Clicks by bots',
    opened UInt64 COMMENT 'Messages that people opened; a click opens as well',
    clicked UInt64 COMMENT 'Messages that people clicked in',
    open_rate Nullable(Float64) COMMENT 'opened per message delivered, without machine opens; NULL where nothing was delivered',
    click_rate Nullable(Float64) COMMENT 'clicked per message delivered; NULL where nothing was delivered',
    click_to_open Nullable(Float64) COMMENT 'clicked per message opened; NULL where nothing was opened',
    unsubscribes UInt64 COMMENT 'Unsubscriptions',
    complaints UInt64 COMMENT 'Spam complaints',
    unsubscribe_rate Nullable(Float64) COMMENT 'Unsubscriptions per message delivered; NULL where nothing was delivered'
)
AS SELECT channel, campaign_id, max(name) AS campaign_name, min(first) AS first_time, sum(n_sent) AS sent, greatest(sum(n_delivered), countIf(n_delivered + n_opens + n_machine_opens + n_clicks + n_machine_clicks > 0)) AS delivered,
    sum(n_bounced) AS bounces, sum(n_opens) AS human_opens, sum(n_machine_opens) AS machine_opens, sum(n_clicks) AS human_clicks, sum(n_machine_clicks) AS machine_clicks,
    countIf(n_opens + n_clicks > 0) AS opened, countIf(n_clicks > 0) AS clicked, opened / nullIf(delivered, 0) AS open_rate, clicked / nullIf(delivered, 0) AS click_rate,
    clicked / nullIf(opened, 0) AS click_to_open, sum(n_unsubscribed) AS unsubscribes, sum(n_complained) AS complaints, unsubscribes / nullIf(delivered, 0) AS unsubscribe_rate
FROM
(
    SELECT channel, campaign_id, max(campaign_name) AS name, min(event_time) AS first, countIf(type = 'message_sent') AS n_sent, countIf(type = 'message_delivered') AS n_delivered,
        countIf(type = 'message_bounce') AS n_bounced, countIf(type = 'message_open' AND NOT machine) AS n_opens, countIf(type = 'message_open' AND machine) AS n_machine_opens,
        countIf(type = 'message_click' AND NOT machine) AS n_clicks, countIf(type = 'message_click' AND machine) AS n_machine_clicks,
        countIf(type = 'message_unsubscribe') AS n_unsubscribed, countIf(type = 'message_complaint') AS n_complained
    FROM {database}.events FINAL
    WHERE type IN ('message_sent', 'message_delivered', 'message_open', 'message_click', 'message_bounce', 'message_unsubscribe', 'message_complaint')
    GROUP BY channel, campaign_id, sipHash64(if(message_id = '', event_id, message_id))
)
GROUP BY channel, campaign_id
COMMENT 'What became of the messages of each campaign. Opens by machines prove delivery and nothing else'
