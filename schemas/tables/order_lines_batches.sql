ALTER TABLE {database}.order_lines {on_cluster}
    ADD INDEX IF NOT EXISTS by_batch _batch TYPE minmax GRANULARITY 1
