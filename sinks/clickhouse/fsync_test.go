package clickhouse

import (
	"fmt"
	"testing"
)

func TestFlushChange(t *testing.T) {
	t.Parallel()
	f := func(engine string, isOn bool, want string) {
		t.Helper()
		if got := flushChange(engine, isOn); got != want {
			t.Errorf("%q, %v: %q, want %q", engine, isOn, got, want)
		}
	}
	const none, all = "ReplacingMergeTree ORDER BY a", "ReplacingMergeTree ORDER BY a SETTINGS index_granularity = 8192, fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1"
	f(none, true, "MODIFY SETTING fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1")
	f(none, false, "")
	f(all, true, "")
	f(all, false, "RESET SETTING fsync_after_insert, fsync_part_directory, min_rows_to_fsync_after_merge")
	f(none+" SETTINGS fsync_after_insert = 0, fsync_part_directory = 1", true, "MODIFY SETTING fsync_after_insert = 1, min_rows_to_fsync_after_merge = 1")
	f(none+" SETTINGS a = 2, fsync_after_insert = 0", false, "RESET SETTING fsync_after_insert")
}

func TestFsync(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	flushing := "SELECT count() FROM system.tables WHERE database = '" + cfg.Database + "' AND engine_full LIKE '%fsync_after_insert = 1%' AND engine_full LIKE '%fsync_part_directory = 1%' AND engine_full LIKE '%min_rows_to_fsync_after_merge = 1%'"
	any := "SELECT count() FROM system.tables WHERE database = '" + cfg.Database + "' AND engine_full LIKE '%fsync%'"
	all := fmt.Sprint(len(keys) + 1)
	expect := func(when, query, want string) {
		t.Helper()
		migrate(t, cfg)
		if got := one(t, cfg, query); got != want {
			t.Errorf("%s: %s tables, want %s", when, got, want)
		}
	}
	migrateFirst(t, cfg)
	expect("by default", flushing, all)
	before := fmt.Sprint(schema(t, cfg))
	expect("again", flushing, all)
	if after := fmt.Sprint(schema(t, cfg)); after != before {
		t.Errorf("the second time changed the schema:\n%s\nwas\n%s", after, before)
	}
	cfg.Fsync = false
	expect("off", any, "0")
	s := open(t, cfg)
	write(t, s, s.sample())
	cfg.Fsync = true
	expect("on again", flushing, all)
	write(t, s, s.sample())
}
