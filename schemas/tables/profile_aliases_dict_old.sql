DROP DICTIONARY IF EXISTS {database}.profile_aliases_dict {on_cluster}
