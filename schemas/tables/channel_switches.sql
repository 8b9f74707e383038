CREATE VIEW IF NOT EXISTS {database}.channel_switches {on_cluster}
(
    from_channel LowCardinality(String) COMMENT 'Channel of a touch',
    to_channel LowCardinality(String) COMMENT 'Channel of the same person''s next touch, at most 7 days later',
    people UInt64 COMMENT 'People who switched so',
    switches UInt64 COMMENT 'How often',
    followed_by_order UInt64 COMMENT 'Of them followed by an order within 7 days, on whatever channel',
    order_rate Float64 COMMENT 'followed_by_order per switch'
)
AS WITH ['web', 'app', 'store', 'email', 'sms', 'whatsapp', 'push', 'social', 'call'] AS channels, toUInt64(7 * 86400000) AS week
SELECT channels[pair.1] AS from_channel, channels[pair.2] AS to_channel, uniqExact(profile_id) AS people, count() AS switches, countIf(pair.3) AS followed_by_order,
    followed_by_order / switches AS order_rate
FROM
(
    SELECT profile_id, arrayMap(t -> bitShiftRight(t, 8), arrayFilter(t -> bitTest(t, 0), touches)) AS sold,
        arrayPopBack(arrayReverse(arrayCompact(t -> bitAnd(t, 254), arrayReverse(touches)))) AS ends,
        arrayPopFront(arrayCompact(t -> bitAnd(t, 254), touches)) AS starts,
        arrayJoin(arrayMap((a, b) -> (toUInt8(bitAnd(bitShiftRight(a, 1), 127)), toUInt8(bitAnd(bitShiftRight(b, 1), 127)),
                arrayExists(s -> s >= bitShiftRight(b, 8) AND s <= bitShiftRight(b, 8) + week, sold)),
            arrayFilter((a, b) -> bitShiftRight(b, 8) - bitShiftRight(a, 8) <= week, ends, starts),
            arrayFilter((b, a) -> bitShiftRight(b, 8) - bitShiftRight(a, 8) <= week, starts, ends))) AS pair
    FROM
    (
        SELECT dictGetOrDefault('{database}.aliases_recent', 'profile_id', tuple(
            dictGetOrDefault('{database}.leaves_recent', 'profile_id', leaf_of,
                dictGetOrDefault('{database}.leaves_settled', 'profile_id', leaf_of, raw)) AS attributed),
        dictGetOrDefault('{database}.aliases_settled', 'profile_id', tuple(attributed), attributed)) AS profile_id, arraySort(groupArrayArray(seen)) AS touches
        FROM
        (
            SELECT any(leaf) AS leaf_of, any(profile_id) AS raw,
                groupArray(bitShiftLeft(toUInt64(toUnixTimestamp64Milli(event_time)), 8) + transform(channel, ['web', 'app', 'store', 'email', 'sms', 'whatsapp', 'push', 'social', 'call'], [1, 2, 3, 4, 5, 6, 7, 8, 9], 0) * 2 + (type = 'order')) AS seen
            FROM {database}.events FINAL
            WHERE event_time > (SELECT least(max(event_time), now64(3, 'UTC')) FROM {database}.events) - INTERVAL 180 DAY AND type NOT IN ('message_sent', 'message_delivered', 'message_bounce', 'message_deferred', 'price_change', 'stock_change') AND NOT machine AND profile_id != toUUID('00000000-0000-0000-0000-000000000000')
            GROUP BY if(leaf > 0, leaf, cityHash64(profile_id))
        )
        GROUP BY profile_id
    )
)
GROUP BY from_channel, to_channel
COMMENT 'From which channel to which people switched in the latest 180 days within a journey: two touches in a row, at most 7 days apart, on different channels. Messages that were sent and what machines did are no touches'
