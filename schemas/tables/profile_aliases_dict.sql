CREATE DICTIONARY IF NOT EXISTS {database}.profile_aliases_dict {on_cluster}
(
    alias_id UUID,
    profile_id UUID
)
PRIMARY KEY alias_id
SOURCE(CLICKHOUSE({credentials}QUERY 'SELECT alias_id, profile_id FROM {database}.profile_aliases FINAL'))
LIFETIME(MIN 30 MAX 60)
LAYOUT(COMPLEX_KEY_HASHED())
COMMENT 'profile_aliases in memory, for look-ups: dictGetOrDefault(''{database}.profile_aliases_dict'', ''profile_id'', tuple(profile_id), profile_id)'
