CREATE DICTIONARY IF NOT EXISTS {database}.leaves_settled {on_cluster}
(
    leaf UInt64,
    profile_id UUID
)
PRIMARY KEY leaf
SOURCE(CLICKHOUSE({credentials}QUERY 'WITH (SELECT argMax((attributed, settled), (epoch, step)) FROM {database}.squash_points) AS point SELECT leaf, argMax(profile_id, _batch) AS person FROM {database}.leaf_profiles WHERE _batch > point.1 GROUP BY leaf HAVING max(_batch) <= point.2' INVALIDATE_QUERY 'SELECT max((epoch, step)) FROM {database}.squash_points'))
LIFETIME(MIN 30 MAX 60)
LAYOUT(HASHED())
COMMENT 'Persons of leaves that changed since events and order_lines were squashed, but for those of leaves_recent'
