CREATE DICTIONARY IF NOT EXISTS {database}.aliases_settled {on_cluster}
(
    alias_id UUID,
    profile_id UUID
)
PRIMARY KEY alias_id
SOURCE(CLICKHOUSE({credentials}QUERY 'WITH (SELECT argMax((squashed, settled), (epoch, step)) FROM {database}.squash_points) AS point SELECT alias_id, argMax(profile_id, _batch) AS living FROM {database}.profile_aliases WHERE _batch > point.1 GROUP BY alias_id HAVING max(_batch) <= point.2 AND living != alias_id' INVALIDATE_QUERY 'SELECT max((epoch, step)) FROM {database}.squash_points'))
LIFETIME(MIN 30 MAX 60)
LAYOUT(COMPLEX_KEY_HASHED())
COMMENT 'Profiles that were merged away since events and order_lines were squashed, but for those of aliases_recent'
