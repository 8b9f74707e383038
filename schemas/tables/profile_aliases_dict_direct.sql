CREATE DICTIONARY IF NOT EXISTS {database}.profile_aliases_dict {on_cluster}
(
    alias_id UUID,
    profile_id UUID
)
PRIMARY KEY alias_id
SOURCE(CLICKHOUSE({credentials}QUERY 'SELECT alias_id, profile_id FROM {database}.profile_aliases FINAL WHERE alias_id != profile_id'))
LAYOUT(COMPLEX_KEY_DIRECT())
COMMENT 'profile_aliases for look-ups, all of it and nothing in memory: dictGetOrDefault(''{database}.profile_aliases_dict'', ''profile_id'', tuple(profile_id), profile_id)'
