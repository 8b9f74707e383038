CREATE DICTIONARY IF NOT EXISTS {database}.leaves_recent {on_cluster}
(
    leaf UInt64,
    profile_id UUID
)
PRIMARY KEY leaf
SOURCE(CLICKHOUSE({credentials}QUERY 'SELECT leaf, argMax(profile_id, _batch) AS person FROM {database}.leaf_profiles WHERE _batch > (SELECT argMax(recent, (epoch, step)) FROM {database}.squash_points) GROUP BY leaf'))
LIFETIME(MIN 10 MAX 20)
LAYOUT(HASHED())
COMMENT 'Persons of leaves that changed lately. Looked at before leaves_settled'
