ALTER TABLE {database}.profile_aliases {on_cluster}
    COMMENT COLUMN IF EXISTS profile_id 'Living profile that it resolves to now, in one step; the alias itself where the merge was taken back, which is as if there were no row'
