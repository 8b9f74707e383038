package local

import (
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// serverConfig is the part of ClickHouse's configuration that we set. Binary and library read the same file.
type serverConfig struct {
	XMLName xml.Name `xml:"clickhouse"`
	Logger  struct {
		Level   string `xml:"level"`
		Log     string `xml:"log"`
		Size    string `xml:"size"`
		Count   int    `xml:"count"`
		Console int    `xml:"console"`
	} `xml:"logger"`
	Path            string `xml:"path"`
	TmpPath         string `xml:"tmp_path"`
	UserFilesPath   string `xml:"user_files_path"`
	FormatPath      string `xml:"format_schema_path"`
	ListenHost      string `xml:"listen_host"`
	TCPPort         int    `xml:"tcp_port"`
	HTTPPort        int    `xml:"http_port"`
	Timezone        string `xml:"timezone"`
	MarkCacheBytes  int64  `xml:"mark_cache_size"`
	MemoryMaxBytes  int64  `xml:"max_server_memory_usage,omitempty"`
	DefaultProfile  string `xml:"default_profile"`
	DefaultDatabase string `xml:"default_database"`
	UsersConfig     string `xml:"users_config"`
	UserDirectories struct {
		Path string `xml:"users_xml>path"`
	} `xml:"user_directories"`
	MergeTree mergeTreeConfig `xml:"merge_tree"`
}

// mergeTreeConfig makes the library behave as a server does: it would drop merged parts at once, and refuse to start after a
// crash that left many broken parts.
type mergeTreeConfig struct {
	OldPartsLifetimeSeconds int `xml:"old_parts_lifetime"`
	SuspiciousPartsMax      int `xml:"max_suspicious_broken_parts"`
	FsyncAfterInsert        int `xml:"fsync_after_insert,omitempty"`
	FsyncPartDirectory      int `xml:"fsync_part_directory,omitempty"`
	FsyncAfterMergeRows     int `xml:"min_rows_to_fsync_after_merge,omitempty"`
}

const usersConfig = `<clickhouse>
  <profiles><default/></profiles>
  <quotas><default/></quotas>
  <users>
    <default>
      <password></password>
      <networks><ip>127.0.0.1</ip><ip>::1</ip></networks>
      <profile>default</profile>
      <quota>default</quota>
      <access_management>1</access_management>
    </default>
  </users>
</clickhouse>
`

// serveStatement turns the library's command line into a server: it opens both listeners and then sleeps, row by row, for
// about a century.
const serveStatement = "SYSTEM START LISTEN TCP; SYSTEM START LISTEN HTTP; " +
	"SELECT sleepEachRow(3) FROM numbers(1000000000) FORMAT Null " +
	"SETTINGS function_sleep_max_microseconds_per_block = 0, max_block_size = 1, max_execution_time = 0, max_threads = 1"

// writeConfig writes the server's files and returns the engine's arguments.
func (c *ClickHouse) writeConfig(at ports) ([]string, error) {
	dir := c.cfg.DataDir
	users := filepath.Join(dir, "users.xml")
	if err := os.WriteFile(users, []byte(usersConfig), 0o600); err != nil {
		return nil, fmt.Errorf("write ClickHouse users: %w", err)
	}
	text, err := xml.MarshalIndent(c.serverConfig(at, users), "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write ClickHouse configuration: %w", err)
	}
	path := filepath.Join(dir, "config.xml")
	if err := os.WriteFile(path, append(text, '\n'), 0o600); err != nil {
		return nil, fmt.Errorf("write ClickHouse configuration: %w", err)
	}
	args := []string{"--config-file=" + path}
	if c.cfg.Engine.Kind == Library {
		// The library takes these from its command line only.
		args = append(args, "--path="+filepath.Join(dir, "data"), "--log-level=information", "--listen_host="+loopback,
			"--tcp_port="+strconv.Itoa(at.native), "--http_port="+strconv.Itoa(at.http), "--query", serveStatement)
	}
	return args, nil
}

func (c *ClickHouse) serverConfig(at ports, users string) serverConfig {
	data := filepath.Join(c.cfg.DataDir, "data") + string(filepath.Separator)
	s := serverConfig{
		Path: data, TmpPath: data + "tmp/", UserFilesPath: data + "user_files/", FormatPath: data + "format_schemas/",
		ListenHost: loopback, TCPPort: at.native, HTTPPort: at.http, Timezone: "UTC",
		MarkCacheBytes: 256 << 20, MemoryMaxBytes: c.cfg.MemoryMaxBytes,
		DefaultProfile: "default", DefaultDatabase: "default", UsersConfig: users,
		MergeTree: mergeTreeConfig{OldPartsLifetimeSeconds: 480, SuspiciousPartsMax: 1_000_000},
	}
	s.UserDirectories.Path = users
	s.Logger.Level, s.Logger.Log, s.Logger.Size, s.Logger.Count = "information", c.LogPath(), "20M", 2
	if c.cfg.Fsync {
		s.MergeTree.FsyncAfterInsert, s.MergeTree.FsyncPartDirectory, s.MergeTree.FsyncAfterMergeRows = 1, 1, 1
	}
	return s
}
