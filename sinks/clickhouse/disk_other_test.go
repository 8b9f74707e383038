//go:build !linux

package clickhouse

import "testing"

func smallDisk(t testing.TB, _ string) string {
	t.Skip("a small disk is mounted on Linux only")
	return ""
}
