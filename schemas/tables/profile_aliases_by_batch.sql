ALTER TABLE {database}.profile_aliases {on_cluster}
    ADD PROJECTION IF NOT EXISTS by_batch (SELECT alias_id, profile_id, _batch ORDER BY _batch)
