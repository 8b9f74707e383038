ALTER TABLE {database}.profile_aliases {on_cluster}
    MODIFY SETTING deduplicate_merge_projection_mode = 'rebuild'
