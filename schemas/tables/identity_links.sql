CREATE VIEW IF NOT EXISTS {database}.identity_links {on_cluster}
(
    a_id UInt64 COMMENT 'Identifier of the link that was seen first',
    a_namespace LowCardinality(String) COMMENT 'Namespace of that identifier',
    b_id UInt64 COMMENT 'The other identifier',
    b_namespace LowCardinality(String) COMMENT 'Namespace of the other identifier',
    first_event_id String COMMENT 'Event that first gave evidence of the link',
    first_time DateTime64(3, 'UTC') COMMENT 'Time of that event',
    first_kind LowCardinality(String) COMMENT 'What was decided then: linked, merged, refused or demoted',
    first_rule LowCardinality(String) COMMENT 'The rule that decided then',
    first_position UInt64 COMMENT 'Place of that decision in identity_log',
    holds LowCardinality(String) COMMENT 'What holds now: linked, merged, refused, demoted or retracted, by the newest decision about the link or about one of its ends as a whole; quarantined while an end is',
    holds_since DateTime64(3, 'UTC') COMMENT 'Event time of the decision that holds',
    holds_rule LowCardinality(String) COMMENT 'The rule of the decision that holds',
    holds_position UInt64 COMMENT 'Place of the decision that holds in identity_log',
    profile_id UUID COMMENT 'Person of the newest decision about the link, as known then',
    last_event_id String COMMENT 'Latest event with both identifiers; empty where events has none (any more)',
    last_time DateTime64(3, 'UTC') COMMENT 'Time of that event; 1970-01-01 for none',
    seen UInt64 COMMENT 'Events with both. An event counts for the links of its first identifier, which is that of the highest priority, with each other one: events whose first identifier is in quarantine are thus counted for it, and not for the identifier that headed them'
)
AS WITH arraySort(k -> -k.4, [l.newest, x.whole, y.whole])[1] AS h
SELECT
    l.a AS a_id, l.a_name AS a_namespace, l.b AS b_id, l.b_name AS b_namespace,
    l.first.1 AS first_event_id, l.first.2 AS first_time, l.first.3 AS first_kind, l.first.4 AS first_rule, l.first.5 AS first_position,
    h.1 AS holds, h.2 AS holds_since, h.3 AS holds_rule, h.4 AS holds_position, l.person AS profile_id,
    s.last_event AS last_event_id, s.last_at AS last_time, s.times AS seen
FROM
(
    SELECT least(a_id, b_id) AS a, greatest(a_id, b_id) AS b,
        argMin(if(a_id < b_id, a_namespace, b_namespace), position) AS a_name, argMin(if(a_id < b_id, b_namespace, a_namespace), position) AS b_name,
        argMin((event_id, time, kind, rule, position), position) AS first, argMax((kind, time, rule, position), position) AS newest,
        argMax(profile_id, position) AS person
    FROM {database}.identity_log FINAL
    WHERE b_id != 0
    GROUP BY a, b
) AS l
LEFT JOIN
(
    SELECT a_id AS id, argMax((kind, time, rule, position), position) AS whole
    FROM {database}.identity_log FINAL
    WHERE b_id = 0 AND kind IN ('retracted', 'quarantined')
    GROUP BY id
) AS x ON l.a = x.id
LEFT JOIN
(
    SELECT a_id AS id, argMax((kind, time, rule, position), position) AS whole
    FROM {database}.identity_log FINAL
    WHERE b_id = 0 AND kind IN ('retracted', 'quarantined')
    GROUP BY id
) AS y ON l.b = y.id
LEFT JOIN
(
    SELECT least(head, other) AS a, greatest(head, other) AS b, count() AS times, max(event_time) AS last_at,
        argMax(event_id, (event_time, event_id)) AS last_event
    FROM
    (
        SELECT event_id, event_time, identifiers[1] AS head, arrayJoin(arraySlice(identifiers, 2)) AS other
        FROM {database}.events FINAL
        WHERE length(identifiers) > 1
    )
    GROUP BY a, b
) AS s ON l.a = s.a AND l.b = s.b
COMMENT 'One row per distinct link between two identifiers, with its first and last evidence and what holds now. It reads all of identity_log and the identifiers of all events'
