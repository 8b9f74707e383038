CREATE VIEW IF NOT EXISTS {database}.attribution {on_cluster}
(
    source String COMMENT 'Touch: campaign medium and source, else search, social or referral by the referrer, else direct; email, sms and so on for clicks in messages; none for orders without a touch; other for all but the 24 most frequent',
    touches UInt64 COMMENT 'Touches in paths',
    first_touch Float64 COMMENT 'Orders credited: all to the first touch',
    last_touch Float64 COMMENT 'Orders credited: all to the last touch',
    linear Float64 COMMENT 'Orders credited: as much to every touch',
    position_based Float64 COMMENT 'Orders credited: 40 % to the first and the last, 20 % to those between',
    time_decay Float64 COMMENT 'Orders credited: by 2 to the power of minus the age, half-life 7 days',
    markov Float64 COMMENT 'Orders credited: by removal effect',
    first_touch_revenue Float64 COMMENT 'Revenue credited by the same rule, in the column currency',
    last_touch_revenue Float64 COMMENT 'Revenue credited by the same rule, in the column currency',
    linear_revenue Float64 COMMENT 'Revenue credited by the same rule, in the column currency',
    position_based_revenue Float64 COMMENT 'Revenue credited by the same rule, in the column currency',
    time_decay_revenue Float64 COMMENT 'Revenue credited by the same rule, in the column currency',
    markov_revenue Float64 COMMENT 'Revenue credited by the same rule, in the column currency',
    removal_effect Float64 COMMENT 'Share of orders that would be lost without the source: Markov chain of first order, exact',
    currency LowCardinality(String) COMMENT 'ISO 4217 code of revenue: that of most orders; orders in others count without revenue'
)
AS WITH (SELECT least(max(event_time), now64(3, 'UTC')) FROM {database}.events) AS until,
    (SELECT topK(1)(currency)[1] FROM {database}.events WHERE type = 'order' AND event_time > until - INTERVAL 30 DAY AND currency != '') AS money,
    toUInt64(toUnixTimestamp64Milli(until - INTERVAL 30 DAY)) AS since, toUInt64(2592000000) AS lookback
SELECT source, toUInt64(sums[1]) AS touches, sums[2] AS first_touch, sums[3] AS last_touch, sums[4] AS linear, sums[5] AS position_based, sums[6] AS time_decay,
    if(source = 'none', first_touch, effect / effects * (orders - unknown)) AS markov, sums[7] AS first_touch_revenue, sums[8] AS last_touch_revenue,
    sums[9] AS linear_revenue, sums[10] AS position_based_revenue, sums[11] AS time_decay_revenue,
    if(source = 'none', first_touch_revenue, effect / effects * (revenue - unknown_revenue)) AS markov_revenue, effect AS removal_effect, money AS currency
FROM
(
    SELECT arrayJoin(arrayZip(names, credits, arrayConcat(removal, if(length(names) > n, [0.], [])))) AS one, one.1 AS source, one.2 AS sums, one.3 AS effect,
        greatest(arraySum(removal), 1e-300) AS effects, arraySum(c -> c[2], credits) AS orders, arraySum(c -> c[7], credits) AS revenue,
        if(has(names, 'none'), credits[indexOf(names, 'none')][2], 0) AS unknown, if(has(names, 'none'), credits[indexOf(names, 'none')][7], 0) AS unknown_revenue
    FROM
    (
        -- The inverse of I - Q gives how often each state is visited; without a source, what is reached only by it is lost.
        SELECT names, credits, n, m, arrayMap(j -> ifNotFinite(inverse[j + 1] * arraySum(i -> inverse[j * m + i] * ends[i], range(1, m + 1))
            / (inverse[j * m + j + 1] * arraySum(i -> inverse[i] * ends[i], range(1, m + 1))), 0), range(1, m)) AS removal
        FROM
        (
            SELECT names, credits, n, n + 1 AS m, arrayConcat(['(start)'], arraySlice(names, 1, n)) AS states,
                arrayMap(s -> greatest(arraySum(c -> if(c.1 = s, c.3, 0), cells), 1e-300), states) AS leaving,
                arrayMap((s, l) -> arraySum(c -> if(c.1 = s AND c.2 = '(order)', c.3, 0), cells) / l, states, leaving) AS ends,
                arrayFold((a, k) -> arrayMap((x, at) -> multiIf(intDiv(at, m) = k AND at % m = k, 1 / x, intDiv(at, m) = k, x / a[k * m + k + 1],
                        at % m = k, -x / a[k * m + k + 1], x - a[intDiv(at, m) * m + k + 1] * a[k * m + at % m + 1] / a[k * m + k + 1]), a, range(m * m)),
                    range(m),
                    arrayMap(at -> if(intDiv(at, m) = at % m, 1, 0) - arraySum(c -> if(c.1 = states[intDiv(at, m) + 1] AND c.2 = states[at % m + 1], c.3, 0), cells)
                        / leaving[intDiv(at, m) + 1], range(m * m))) AS inverse
            FROM
            (
                SELECT arrayFilter(s -> s NOT IN ('(start)', '(order)', '(nothing)'), targets) AS all,
                    arrayReverseSort(s -> (arraySum(c -> if(c.2 = s, c.3, 0), found), s), arrayFilter(s -> s != 'none', all)) AS ranked,
                    arraySlice(ranked, 1, 24) AS top, arrayMap(c -> (if(has(all, c.1) AND NOT has(top, c.1) AND c.1 != 'none', 'other', c.1),
                        if(has(all, c.2) AND NOT has(top, c.2) AND c.2 != 'none', 'other', c.2), c.3, c.4), found) AS mapped,
                    arrayFilter(c -> c.2 != 'none' AND c.1 != 'none', mapped) AS cells, arrayConcat(top, if(length(ranked) > 24, ['other'], [])) AS sources, length(sources) AS n,
                    arrayConcat(sources, if(has(all, 'none'), ['none'], [])) AS names,
                    arrayMap(s -> arrayReduce('sumForEach', arrayMap(c -> c.4, arrayFilter(c -> c.2 = s, mapped))), names) AS credits
                FROM (SELECT groupArray((f, t, toFloat64(n), sums)) AS found, groupUniqArray(t) AS targets FROM
                (
                    SELECT f, t, count() AS n, sumForEach(arrayConcat([isTouch], credit, arrayMap(c -> c * value, credit))) AS sums
                    FROM
                    (
                        SELECT sold.2 AS value, length(path) AS touched, arrayMap(p -> pow(2, -toFloat64(sold.1 - p.1) / 604800000), path) AS decays, arraySum(decays) AS decay,
                            arrayJoin(arrayMap(i -> (if(i = 1, '(start)', path[i - 1].2), if(i <= touched, path[i].2, if(sold.1 > 0, '(order)', '(nothing)')),
                                if(i <= touched, 1., 0.), if(i > touched OR sold.1 = 0, [0., 0., 0., 0., 0.], [toFloat64(i = 1), toFloat64(i = touched), 1 / touched,
                                    multiIf(touched < 3, 1 / touched, i = 1 OR i = touched, 0.4, 0.2 / (touched - 2)), decays[i] / decay])), range(1, touched + 2))) AS cell,
                            cell.1 AS f, cell.2 AS t, cell.3 AS isTouch, cell.4 AS credit
                        FROM
                        (
                            SELECT arrayJoin(arrayConcat(
                                    arrayMap((s, b) -> (arrayFilter(p -> p.1 > b AND p.1 <= s.1 AND p.1 + lookback >= s.1, touched), s),
                                        arrayFilter(s -> s.1 > since, sales), arrayFilter((b, s) -> s.1 > since, arraySlice(arrayConcat([toUInt64(0)], sales.1), 1, length(sales)), sales)),
                                    [(arrayFilter(p -> p.1 > greatest(since, arrayMax(arrayConcat([toUInt64(0)], sales.1))), touched), (toUInt64(0), 0.))])) AS way,
                                if(empty(way.1) AND way.2.1 > 0, [(way.2.1, 'none')], way.1) AS path, way.2 AS sold
                            FROM
                            (
                                SELECT arraySort(groupArrayArray(seen)) AS touched, arraySort(groupArrayArray(bought)) AS sales
                                FROM
                                (
                                    SELECT dictGetOrDefault('{database}.aliases_recent', 'profile_id', tuple(
            dictGetOrDefault('{database}.leaves_recent', 'profile_id', leaf_of,
                dictGetOrDefault('{database}.leaves_settled', 'profile_id', leaf_of, raw)) AS attributed),
        dictGetOrDefault('{database}.aliases_settled', 'profile_id', tuple(attributed), attributed)) AS profile_id, seen, bought
                                    FROM
                                    (
                                        SELECT any(leaf) AS leaf_of, any(profile_id) AS raw, groupArrayArray(bought) AS bought,
                                            groupArrayIf((at, if(source = '', 'direct', source)), is_touch) AS seen
                                        FROM
                                        (
                                            SELECT any(leaf) AS leaf, any(profile_id) AS profile_id, toUInt64(toUnixTimestamp64Milli(min(event_time))) AS at, max(is_visit) AS is_touch,
                                                argMinIf(origin, event_time, origin != '') AS source,
                                                groupArrayIf((toUInt64(toUnixTimestamp64Milli(event_time)), if(currency = money, toFloat64(revenue), 0)), type = 'order') AS bought
                                            FROM
                                            (
                                                SELECT leaf, profile_id, event_time, type, currency, revenue, (channel IN ('web', 'app') AND session_id != 0) OR type = 'message_click' AS is_visit,
                                                    if(type != 'message_click' AND campaign_source = '' AND campaign_medium = '' AND referrer = '', '', multiIf(type = 'message_click', toString(channel), campaign_medium != '' AND campaign_source != '', concat(campaign_medium, ' / ', campaign_source),
                                campaign_source != '', toString(campaign_source), campaign_medium != '', toString(campaign_medium),
                                referrer = '' OR domainWithoutWWW(referrer) = domainWithoutWWW(page_url), '',
                                match(domain(referrer), '(^|\\.)(google|bing|duckduckgo|ecosia|yahoo|baidu|yandex|qwant|startpage)\\.|^search\\.'), 'search',
                                match(domain(referrer), '(^|\\.)(facebook|instagram|twitter|x|t|linkedin|lnkd|pinterest|tiktok|reddit|youtube|snapchat|threads)\\.'), 'social', 'referral')) AS origin,
                                                    if(channel IN ('web', 'app') AND session_id != 0, session_id, cityHash64(event_id, source)) AS visit
                                                FROM {database}.events FINAL
                                                WHERE event_time > until - INTERVAL 60 DAY AND event_time <= until AND profile_id != toUUID('00000000-0000-0000-0000-000000000000') AND NOT machine
                                                    AND (session_id != 0 OR type IN ('message_click', 'order'))
                                            )
                                            GROUP BY visit
                                        )
                                        GROUP BY if(leaf > 0, leaf, cityHash64(profile_id))
                                    )
                                )
                                GROUP BY profile_id
                            )
                        )
                        WHERE notEmpty(path)
                    )
                    GROUP BY f, t
                ))
                WHERE notEmpty(found)
            )
        )
    )
)
COMMENT 'Which sources of visits the orders of the latest 30 days are credited to, by six rules. A path is the touches of a person since the order before, at most 30 days back; a visit without a source is direct'
