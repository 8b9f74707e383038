ALTER TABLE {database}.profiles {on_cluster}
    ADD COLUMN IF NOT EXISTS stage_reason LowCardinality(String) COMMENT 'Why the person is in that stage, in words' AFTER stage_since
