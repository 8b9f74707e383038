CREATE VIEW IF NOT EXISTS {database}.split_tests {on_cluster}
(
    experiment String COMMENT 'Experiment as exposures name it, or the campaign of messages with variants',
    variant LowCardinality(String) COMMENT 'Arm; people count for the arm that they were exposed to first',
    is_control Bool COMMENT 'Whether the others are compared with it: named control, holdout, baseline, no... and the like, else the first by name',
    metric LowCardinality(String) COMMENT 'Outcome within 14 days after the first exposure: visit, conversion (each 0 or 1 per person) or spend (net revenue)',
    people UInt64 COMMENT 'People in the arm',
    mean Float64 COMMENT 'Mean of the metric',
    effect Float64 COMMENT 'Mean less that of the control',
    se Float64 COMMENT 'Standard error of the effect, unequal variances',
    low Float64 COMMENT 'Lower end of the 95 % interval of the effect',
    high Float64 COMMENT 'Upper end',
    p_value Float64 COMMENT 'Two-sided p of the effect, for a look at a time that was fixed before',
    cuped_theta Float64 COMMENT 'Weight of the covariate, net revenue in the 365 days before the exposure: pooled over arm and control (Deng 2013)',
    cuped_effect Float64 COMMENT 'Effect with the covariate taken off',
    cuped_se Float64 COMMENT 'Its standard error',
    always_valid_p Float64 COMMENT 'p that holds however often one looks: mSPRT over days of exposure, tau a tenth of the control''s standard deviation',
    srm_chi2 Float64 COMMENT 'Chi-square of the arms'' sizes against equal shares',
    srm_p Float64 COMMENT 'Its p: below .001 the assignment is broken, and no effect is to be believed',
    crossed UInt64 COMMENT 'People of the arm who were exposed to another one as well, such as by a merge',
    crossed_share Float64 COMMENT 'crossed per people'
)
AS WITH (SELECT (min(event_time), max(event_time)) FROM {database}.events WHERE variant != '' AND (type = 'custom' AND JSONExtractString(toString(properties), 'event') IN ('Experiment Viewed', 'Viewed Experiment')
                OR type IN ('message_sent', 'message_delivered', 'message_open', 'message_click'))) AS seen, seen.1 AS earliest, seen.2 AS latest
SELECT experiment, variant, toBool(variant = control) AS is_control, metric, n AS people, y / n AS mean, y / n - c.y / c.n AS effect, sqrt(vy / n + c.vy / c.n) AS se,
    effect - 1.959963984540054 * se AS low, effect + 1.959963984540054 * se AS high, if(is_control, 1, if(se > 0, erfc(abs(effect) / se / sqrt(2)), 1)) AS p_value,
    if(is_control, 0, ifNotFinite(((n - 1) * cxy + x * y / n + (c.n - 1) * c.cxy + c.x * c.y / c.n - (x + c.x) * (y + c.y) / (n + c.n))
        / ((n - 1) * vx + x * x / n + (c.n - 1) * c.vx + c.x * c.x / c.n - pow(x + c.x, 2) / (n + c.n)), 0)) AS cuped_theta, effect - cuped_theta * (x / n - c.x / c.n) AS cuped_effect,
    sqrt(greatest(0, (vy + cuped_theta * cuped_theta * vx - 2 * cuped_theta * cxy) / n + (c.vy + cuped_theta * cuped_theta * c.vx - 2 * cuped_theta * c.cxy) / c.n)) AS cuped_se,
    if(is_control, 1, least(1, arrayMin(arrayConcat([1.], looks)))) AS always_valid_p, chi2 AS srm_chi2,
    if(arms < 2, 1, if(arms % 2 = 1, exp(-chi2 / 2) * arraySum(i -> pow(chi2 / 2, i) / tgamma(i + 1), range(intDiv(arms - 1, 2))),
        erfc(sqrt(chi2 / 2)) + exp(-chi2 / 2) * arraySum(i -> pow(chi2 / 2, i - 0.5) / tgamma(i + 0.5), range(1, intDiv(arms, 2))))) AS srm_p,
    crossed, crossed / n AS crossed_share
FROM
(
    SELECT experiment, metric, control, arms, chi2, arm.1 AS variant, arm.2 AS n, arm.3 AS y, arm.4 AS x, arm.5 AS vy, arm.6 AS vx, arm.7 AS cxy, arm.8 AS crossed, arm.9 AS days,
        all[indexOf(names, control)] AS base, (base.2, base.3, base.4, base.5, base.6, base.7)::Tuple(n Float64, y Float64, x Float64, vy Float64, vx Float64, cxy Float64) AS c,
        base.9 AS control_days, 0.01 * c.vy AS tau2,
        arrayFilter(d -> d.2 > 1 AND arrayExists(b -> b.1 <= d.1 AND b.2 > 1, control_days), days) AS shown,
        arrayMap(d -> control_days[arrayLastIndex(b -> b.1 <= d.1, control_days)], shown) AS beside,
        arrayMap((d, b) -> (d.4 - d.3 * d.3 / d.2) / (d.2 - 1) / d.2 + (b.4 - b.3 * b.3 / b.2) / (b.2 - 1) / b.2, shown, beside) AS spreads,
        arrayMap((v, d, b) -> if(v > 0 AND tau2 > 0, sqrt((v + tau2) / v) * exp(-tau2 * pow(d.3 / d.2 - b.3 / b.2, 2) / (2 * v * (v + tau2))), 1.), spreads, shown, beside) AS looks
    FROM
    (
        SELECT experiment, metric, groupArray((variant, toFloat64(n), y, x, vy, vx, cxy, crossed, days)) AS all, groupArray(variant) AS names,
            arraySort(v -> (NOT match(lower(v), '^(control|holdout|hold-out|baseline|original|default|none|no |off)'), v), names)[1] AS control, length(names) AS arms,
            arraySum(a -> a.2, all) AS total, arraySum(a -> pow(a.2 - total / arms, 2) / (total / arms), all) AS chi2
        FROM
        (
            SELECT experiment, metric, variant, sum(n_day) AS n, sum(y_day) AS y, sum(x_day) AS x, if(n > 1, (sum(yy_day) - y * y / n) / (n - 1), 0) AS vy,
                if(n > 1, (sum(xx_day) - x * x / n) / (n - 1), 0) AS vx, if(n > 1, (sum(xy_day) - x * y / n) / (n - 1), 0) AS cxy, sum(crossed_day) AS crossed,
                arraySort(groupArray((day, toFloat64(n_day), y_day, yy_day))) AS daily,
                arrayZip(daily.1, arrayCumSum(daily.2), arrayCumSum(daily.3), arrayCumSum(daily.4)) AS days
            FROM
            (
                SELECT experiment, variant, toDate(exposed) AS day, one.1 AS metric, count() AS n_day, sum(one.2) AS y_day, sum(one.2 * one.2) AS yy_day, sum(before) AS x_day,
                    sum(before * before) AS xx_day, sum(before * one.2) AS xy_day, countIf(is_crossed) AS crossed_day
                FROM
                (
                    SELECT e.experiment AS experiment, e.variant AS variant, e.exposed AS exposed, e.is_crossed AS is_crossed, toUInt32(toUnixTimestamp(exposed)) AS at,
                        arraySum(s -> if(s.1 <= at AND s.1 > at - 365 * 86400, s.2, 0), o.sales) AS before,
                        arrayFilter(s -> s.1 > at AND s.1 <= at + 14 * 86400, o.sales) AS later,
                        arrayJoin([('visit', toFloat64(arrayExists(v -> v > at AND v <= at + 14 * 86400, o.visits))), ('conversion', toFloat64(arrayExists(s -> s.3, later))),
                            ('spend', arraySum(s -> s.2, later))]) AS one
                    FROM
                    (
                        SELECT experiment, profile_id, argMin(shown, (first, shown)) AS variant, min(first) AS exposed, uniqExact(shown) > 1 AS is_crossed
                        FROM
                        (
                            SELECT dictGetOrDefault('{database}.aliases_recent', 'profile_id', tuple(
            dictGetOrDefault('{database}.leaves_recent', 'profile_id', leaf_of,
                dictGetOrDefault('{database}.leaves_settled', 'profile_id', leaf_of, raw)) AS attributed),
        dictGetOrDefault('{database}.aliases_settled', 'profile_id', tuple(attributed), attributed)) AS profile_id, experiment, shown, first
                            FROM
                            (
                                SELECT experiment, toString(variant) AS shown, any(leaf) AS leaf_of, any(profile_id) AS raw, min(event_time) AS first
                                FROM
                                (
                                    SELECT if(type = 'custom', coalesce(nullIf(JSONExtractString(toString(properties), 'experiment_name'), ''), nullIf(JSONExtractString(toString(properties), 'experimentName'), ''),
                                            nullIf(JSONExtractString(toString(properties), 'experiment_id'), ''), JSONExtractString(toString(properties), 'experimentId')),
                                        if(campaign_name = '', toString(campaign_id), toString(campaign_name))) AS experiment, variant, leaf, profile_id, event_time
                                    FROM {database}.events FINAL
                                    WHERE variant != '' AND (type = 'custom' AND JSONExtractString(toString(properties), 'event') IN ('Experiment Viewed', 'Viewed Experiment')
                OR type IN ('message_sent', 'message_delivered', 'message_open', 'message_click')) AND profile_id != toUUID('00000000-0000-0000-0000-000000000000')
                                )
                                WHERE experiment != ''
                                GROUP BY experiment, shown, if(leaf > 0, leaf, cityHash64(profile_id))
                            )
                        )
                        GROUP BY experiment, profile_id
                    ) AS e
                    LEFT JOIN
                    (
                        SELECT dictGetOrDefault('{database}.aliases_recent', 'profile_id', tuple(
            dictGetOrDefault('{database}.leaves_recent', 'profile_id', leaf_of,
                dictGetOrDefault('{database}.leaves_settled', 'profile_id', leaf_of, raw)) AS attributed),
        dictGetOrDefault('{database}.aliases_settled', 'profile_id', tuple(attributed), attributed)) AS profile_id, groupUniqArrayArray(visited) AS visits, groupArrayArray(sold) AS sales
                        FROM
                        (
                            SELECT any(leaf) AS leaf_of, any(profile_id) AS raw, groupUniqArray(toUInt32(toUnixTimestamp(event_time))) AS visited, CAST([] AS Array(Tuple(UInt32, Float64, Bool))) AS sold
                            FROM {database}.events FINAL
                            WHERE event_time >= earliest AND event_time <= latest + INTERVAL 14 DAY AND channel IN ('web', 'app', 'store') AND type != 'custom' AND profile_id != toUUID('00000000-0000-0000-0000-000000000000')
                            GROUP BY if(leaf > 0, leaf, cityHash64(profile_id))
                            UNION ALL
                            SELECT any(leaf), any(profile_id), [], groupArray((toUInt32(toUnixTimestamp(event_time)), toFloat64(revenue), toBool(type = 'order')))
                            FROM {database}.events FINAL
                            WHERE event_time > earliest - INTERVAL 365 DAY AND event_time <= latest + INTERVAL 14 DAY
                                AND type IN ('order', 'order_update', 'refund', 'void', 'order_cancel') AND profile_id != toUUID('00000000-0000-0000-0000-000000000000')
                            GROUP BY if(leaf > 0, leaf, cityHash64(profile_id))
                        )
                        GROUP BY profile_id
                    ) AS o ON e.profile_id = o.profile_id
                )
                GROUP BY experiment, variant, day, metric
            )
            GROUP BY experiment, metric, variant
        )
        GROUP BY experiment, metric
        HAVING arms > 1
    )
    ARRAY JOIN all AS arm
)
COMMENT 'Effects of experiments and of variants of messages, per arm and metric, as assigned by first exposure'
