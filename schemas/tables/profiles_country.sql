ALTER TABLE {database}.profiles {on_cluster}
    ADD COLUMN IF NOT EXISTS country LowCardinality(String) COMMENT 'ISO 3166 alpha-2 code, upper case, of the person''s latest event that told one; empty where unknown' AFTER consent_at
