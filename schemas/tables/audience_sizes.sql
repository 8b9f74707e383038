CREATE VIEW IF NOT EXISTS {database}.audience_sizes {on_cluster}
(
    audience LowCardinality(String) COMMENT 'Name of the audience',
    members UInt64 COMMENT 'How many people are in it now',
    last_change DateTime64(3, 'UTC') COMMENT 'When the last person entered or left'
)
AS SELECT audience, countIf(member) AS members, max(greatest(since, until)) AS last_change
FROM {database}.audience_members FINAL
GROUP BY audience
COMMENT 'One row per audience: its size and its last change'
