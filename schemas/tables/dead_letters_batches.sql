ALTER TABLE {database}.dead_letters {on_cluster}
    ADD INDEX IF NOT EXISTS by_batch _batch TYPE minmax GRANULARITY 1
