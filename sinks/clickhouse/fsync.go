package clickhouse

import (
	"slices"
	"strings"
)

// flushSettings make a table flush rows, and what it merges them into, to disk before it says that they are there. Without them a power
// cut takes rows of up to twenty seconds, which the engine believes to be written.
var flushSettings = []string{"fsync_after_insert", "fsync_part_directory", "min_rows_to_fsync_after_merge"}

// flushChange gives what an ALTER has to do to a table with this engine; nothing where it is as it should be.
func flushChange(engine string, isOn bool) string {
	_, settings, _ := strings.Cut(engine, " SETTINGS ")
	has := strings.Split(settings, ", ")
	var on, off []string
	for _, name := range flushSettings {
		if !slices.Contains(has, name+" = 1") {
			on = append(on, name+" = 1")
		}
		if slices.ContainsFunc(has, func(s string) bool { return strings.HasPrefix(s, name+" = ") }) {
			off = append(off, name)
		}
	}
	switch {
	case isOn && len(on) > 0:
		return modifySetting + strings.Join(on, ", ")
	case !isOn && len(off) > 0:
		return "RESET SETTING " + strings.Join(off, ", ")
	}
	return ""
}
