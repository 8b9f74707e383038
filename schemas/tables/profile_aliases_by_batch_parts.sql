ALTER TABLE {database}.profile_aliases {on_cluster}
    MATERIALIZE PROJECTION by_batch
