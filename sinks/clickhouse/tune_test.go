package clickhouse

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestTuneChange(t *testing.T) {
	t.Parallel()
	wanted := []setting{{"a", "1"}, {"b", "'x'"}}
	f := func(engine string, known map[string]bool, want string) {
		t.Helper()
		if got := tuneChange(wanted, engine, known); got != want {
			t.Errorf("%q, %v: %q, want %q", engine, known, got, want)
		}
	}
	both := map[string]bool{"a": true, "b": true}
	f("ReplacingMergeTree ORDER BY a", both, "MODIFY SETTING a = 1, b = 'x'")
	f("ReplacingMergeTree ORDER BY a SETTINGS index_granularity = 8192, a = 7", both, "MODIFY SETTING b = 'x'")
	f("ReplacingMergeTree ORDER BY a SETTINGS aa = 2, a = 7, b = ''", both, "")
	f("ReplacingMergeTree ORDER BY a SETTINGS aa = 2", map[string]bool{"a": true}, "MODIFY SETTING a = 1")
	f("ReplacingMergeTree ORDER BY a", nil, "")
}

func TestJoinChanges(t *testing.T) {
	t.Parallel()
	f := func(a, b string, want ...string) {
		t.Helper()
		if got := joinChanges(a, b); !slices.Equal(got, want) {
			t.Errorf("%q and %q: %q, want %q", a, b, got, want)
		}
	}
	f("MODIFY SETTING a = 1", "MODIFY SETTING b = 2, c = 3", "MODIFY SETTING a = 1, b = 2, c = 3")
	f("MODIFY SETTING a = 1", "RESET SETTING b", "MODIFY SETTING a = 1", "RESET SETTING b")
	f("", "MODIFY SETTING b = 2", "", "MODIFY SETTING b = 2")
	f("MODIFY SETTING a = 1", "", "MODIFY SETTING a = 1", "")
}

func TestTune(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	migrate(t, cfg)
	settings := func(table string) string {
		return one(t, cfg, "SELECT engine_full FROM system.tables WHERE database = '"+cfg.Database+"' AND name = '"+table+"'")
	}
	for table := range keys {
		for _, k := range tuned(table) {
			isKnown := one(t, cfg, "SELECT count() FROM system.merge_tree_settings WHERE name = '"+k.name+"'") == "1"
			if got := strings.Contains(settings(table), k.name+" = "); got != isKnown {
				t.Errorf("%s has the setting %s: %v, want %v", table, k.name, got, isKnown)
			}
		}
	}
	if one(t, cfg, "SELECT count() FROM system.merge_tree_settings WHERE name = 'merge_selector_base'") == "0" {
		t.Skip("this server has no merge_selector_base")
	}
	exec(t, cfg, "ALTER TABLE events MODIFY SETTING merge_selector_base = 7")
	before := fmt.Sprint(schema(t, cfg))
	migrate(t, cfg)
	if after := fmt.Sprint(schema(t, cfg)); after != before {
		t.Errorf("migrating changed what an operator chose:\n%s\nwas\n%s", after, before)
	}
}

// New parts of any size are compact, so that few files have to be flushed.
func TestNewPartsAreCompact(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	s := open(t, cfg)
	if one(t, cfg, "SELECT count() FROM system.merge_tree_settings WHERE name = 'min_level_for_wide_part'") == "0" {
		t.Skip("this server has no min_level_for_wide_part")
	}
	exec(t, cfg, "SYSTEM STOP MERGES "+cfg.Database+".events")
	write(t, s, usual(random(t), 1, 60_000))
	if got := one(t, cfg, "SELECT part_type || ' ' || toString(data_uncompressed_bytes > 10485760) FROM system.parts WHERE database = '"+cfg.Database+"' AND table = 'events' AND active"); got != text("Compact 1") {
		t.Errorf("a new part of events is %s, want a compact one of more than 10 MiB", got)
	}
}
