CREATE VIEW IF NOT EXISTS {database}.journey_funnel {on_cluster}
(
    first_channel LowCardinality(String) COMMENT 'Channel of the first contact',
    step UInt8 COMMENT 'Number of the stage in the funnel, from 1',
    stage LowCardinality(String) COMMENT 'Stage: visitor, engaged, known, considering, customer, repeat, loyal',
    people UInt64 COMMENT 'People who reached this stage or a later one',
    conversion Float64 COMMENT 'Share of the people of that first channel',
    from_previous Float64 COMMENT 'Share of the people who reached the stage before',
    timed UInt64 COMMENT 'People of whom both this stage''s time and the first contact''s are known',
    median_days Nullable(Float64) COMMENT 'Median days from the first contact to this stage; NULL where events do not tell',
    median_days_from_previous Nullable(Float64) COMMENT 'Median days from the latest stage before whose time events tell; NULL where they do not'
)
AS WITH ['visitor', 'engaged', 'known', 'considering', 'customer', 'repeat', 'loyal'] AS stages
SELECT first_channel, step, stages[step] AS stage, reached[step] AS people, people / entered AS conversion, people / if(step = 1, entered, reached[step - 1]) AS from_previous,
    known[step] AS timed, if(timed = 0, NULL, days[step]) AS median_days, if(gaps_known[step] = 0, NULL, gaps[step]) AS median_days_from_previous
FROM
(
    SELECT first_channel, toUInt64(count()) AS entered, arrayMap(s -> toUInt64(arraySum((l, n) -> if(l >= s, n, 0), mapKeys(levels), mapValues(levels))), range(1, 8)) AS reached,
        sumMap(map(level, toUInt64(1))) AS levels,
        [entered, 0, countIf(known_at > 0), countIf(considered_at > 0), countIf(bought_at > 0), countIf(again_at > 0), 0] AS known,
        [0., 0., quantileIf(0.5)(known_at - begun, known_at > 0) / 86400, quantileIf(0.5)(considered_at - begun, considered_at > 0) / 86400,
            quantileIf(0.5)(bought_at - begun, bought_at > 0) / 86400, quantileIf(0.5)(again_at - begun, again_at > 0) / 86400, 0.] AS days,
        [0, 0, countIf(known_at > 0), countIf(considered_at > 0), countIf(bought_at > 0), countIf(again_at > 0), 0] AS gaps_known,
        [0., 0., quantileIf(0.5)(known_at - begun, known_at > 0) / 86400, quantileIf(0.5)(considered_at - greatest(begun, known_at), considered_at > 0) / 86400,
            quantileIf(0.5)(bought_at - greatest(begun, known_at, considered_at), bought_at > 0) / 86400, quantileIf(0.5)(again_at - bought_at, again_at > 0) / 86400, 0.] AS gaps
    FROM
    (
        SELECT max(channel) AS first_channel, max(begin) AS begun, if(max(base) < 4 AND max(considered) > 0, 4, max(base)) AS level,
            if(level >= 3, minIf(known, known > 0), 0) AS known_at, if(level >= 4, minIf(considered, considered > 0), 0) AS considered_at, if(level >= 5, max(bought), 0) AS bought_at,
            if(level >= 6, toInt64(arraySort(groupArrayArray(sold))[2]), 0) AS again_at
        FROM
        (
            SELECT profile_id, true AS is_person, toString(mapKeys(channel_first_seen)[indexOf(mapValues(channel_first_seen), arrayMin(mapValues(channel_first_seen)))]) AS channel,
                toInt64(toUnixTimestamp(first_seen)) AS begin,
                toUInt8(multiIf(stage = 'loyal', 7, purchase_days > 1, 6, purchase_days > 0 OR orders > 0, 5, cart_updated > toDateTime64(0, 3, 'UTC') OR checkout_at > toDateTime64(0, 3, 'UTC'), 4,
                    user_ids + emails + phones + loyalty_ids > 0, 3, sessions > 1 OR product_views > 1, 2,
                    sessions > 0 OR mapContains(channel_events, 'web') OR mapContains(channel_events, 'app') OR mapContains(channel_events, 'store'), 1, 0)) AS base,
                toInt64(0) AS known, toInt64(0) AS considered, toInt64(toUnixTimestamp(first_order)) AS bought, CAST([] AS Array(UInt32)) AS sold
            FROM {database}.profiles FINAL
            UNION ALL
            SELECT dictGetOrDefault('{database}.aliases_recent', 'profile_id', tuple(
            dictGetOrDefault('{database}.leaves_recent', 'profile_id', leaf_of,
                dictGetOrDefault('{database}.leaves_settled', 'profile_id', leaf_of, raw)) AS attributed),
        dictGetOrDefault('{database}.aliases_settled', 'profile_id', tuple(attributed), attributed)) AS profile_id, false, '', 0, 0, known_at, considered_at, 0, sold
            FROM
            (
                SELECT any(leaf) AS leaf_of, any(profile_id) AS raw, toInt64(minIf(toUnixTimestamp(event_time), type IN ('identify', 'login', 'signup'))) AS known_at,
                    toInt64(minIf(toUnixTimestamp(event_time), type IN ('cart_add', 'checkout_start', 'checkout_step'))) AS considered_at,
                    groupArrayIf(toUnixTimestamp(event_time), type = 'order') AS sold
                FROM {database}.events FINAL
                WHERE type IN ('identify', 'login', 'signup', 'cart_add', 'checkout_start', 'checkout_step', 'order')
                GROUP BY if(leaf > 0, leaf, cityHash64(profile_id))
            )
        )
        GROUP BY profile_id
        HAVING max(is_person)
    )
    GROUP BY first_channel
)
ARRAY JOIN range(1, 8) AS step
COMMENT 'How many people reached each stage of the journey, by the channel of their first contact. Who reached a later stage counts for the ones before'
