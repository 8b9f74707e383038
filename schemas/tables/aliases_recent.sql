CREATE DICTIONARY IF NOT EXISTS {database}.aliases_recent {on_cluster}
(
    alias_id UUID,
    profile_id UUID
)
PRIMARY KEY alias_id
SOURCE(CLICKHOUSE({credentials}QUERY 'SELECT alias_id, argMax(profile_id, _batch) AS living FROM {database}.profile_aliases WHERE _batch > (SELECT argMax(recent, (epoch, step)) FROM {database}.squash_points) GROUP BY alias_id'))
LIFETIME(MIN 10 MAX 20)
LAYOUT(COMPLEX_KEY_HASHED())
COMMENT 'Profiles that were merged away lately; one whose merge was taken back is its own alias. Looked at before aliases_settled'
