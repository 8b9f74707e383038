CREATE TABLE IF NOT EXISTS {database}.schema_migrations {on_cluster}
(
    version UInt32 COMMENT 'Number of the migration, from 1 without gaps',
    name String COMMENT 'What the migration is called',
    checksum String COMMENT 'SHA-256 of the migration as it was applied, in hex; a build whose migration differs refuses to start',
    applied_at DateTime64(3, 'UTC') COMMENT 'When it was applied, by the clock of the server'
)
ENGINE = {replicated}ReplacingMergeTree(applied_at)
ORDER BY version
COMMENT 'One row per migration that was applied to this database'
