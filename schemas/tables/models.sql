CREATE TABLE IF NOT EXISTS {database}.models {on_cluster}
(
    name LowCardinality(String) COMMENT 'Model, such as bgnbd or gamma_gamma; several models are fitted together and share a version',
    version UInt32 COMMENT 'Number of the fit, from 1: profiles.models names the fit that scores were computed with',
    fitted_at DateTime64(3, 'UTC') COMMENT 'The clock at the fit',
    people UInt64 COMMENT 'How many people, baskets or sessions the fit is made of',
    log_likelihood Float64 COMMENT 'Logarithm of the likelihood at these parameters; 0 where the model has none',
    parameters Map(LowCardinality(String), Float64) COMMENT 'Parameters by name',
    _batch UInt64 COMMENT 'Number of the batch that wrote the row; the newest row of a key counts' CODEC(Delta, ZSTD(1))
)
ENGINE = {replicated}ReplacingMergeTree(_batch)
ORDER BY (name, version)
SETTINGS non_replicated_deduplication_window = 100000, replicated_deduplication_window = 100000, replicated_deduplication_window_seconds = 604800
COMMENT 'One row per model of the population and fit; a row never changes once it is written'
