ALTER TABLE {database}.events {on_cluster}
    ADD INDEX IF NOT EXISTS by_batch _batch TYPE minmax GRANULARITY 1,
    ADD INDEX IF NOT EXISTS by_kafka_offset kafka_offset TYPE minmax GRANULARITY 1
