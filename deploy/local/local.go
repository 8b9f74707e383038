// Package local is the embedded default: a broker and a ClickHouse on loopback ports, without Docker or configuration.
// In comes a data directory and, at most, some ports; out come the addresses of two servers that answer, and that end with this process.
// It never listens beyond loopback, never leaves a child process behind and never runs a download that it could not verify.
package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
)

// Config says where the embedded parts keep their data and where they listen.
type Config struct {
	DataDir            string       // created when missing; must be set
	KafkaPort          int          // 0 takes a free port
	ClickHousePort     int          // native protocol; 0 takes a free port
	ClickHouseHTTPPort int          // 0 takes a free port
	KafkaTopics        []string     // created when missing
	KafkaPartitions    int          // of new topics; 0 means PartitionsDefault
	KafkaAutoTopics    bool         // clients may create topics by naming them
	MemoryMaxBytes     int64        // ClickHouse's own limit; 0 leaves its default
	Fsync              bool         // both parts survive power loss, at some milliseconds a write
	Progress           io.Writer    // download and start messages; nil for none
	Log                *slog.Logger // nil for none
}

// Stack is an embedded Kafka and an embedded ClickHouse that both answer.
type Stack struct {
	Kafka      *Kafka
	ClickHouse *ClickHouse
	dataDir    string
}

// Addresses tells clients where to connect. Its JSON is what `seamline local` prints.
type Addresses struct {
	Kafka          string `json:"kafka"`           // host:port
	ClickHouse     string `json:"clickhouse"`      // host:port of the native protocol
	ClickHouseHTTP string `json:"clickhouse_http"` // http://host:port
	DataDir        string `json:"data_dir"`        // absolute
}

// Start brings up both parts and returns when both answer. The context covers the start only.
func Start(ctx context.Context, cfg Config) (*Stack, error) {
	if cfg.DataDir == "" {
		return nil, errors.New("start the embedded stack: no data directory is set")
	}
	dir, err := filepath.Abs(cfg.DataDir)
	if err != nil {
		return nil, fmt.Errorf("resolve data directory %s: %w", cfg.DataDir, err)
	}
	broker, err := StartKafka(ctx, KafkaConfig{
		DataDir: filepath.Join(dir, "kafka"), Port: cfg.KafkaPort, Topics: cfg.KafkaTopics,
		Partitions: cfg.KafkaPartitions, AutoTopics: cfg.KafkaAutoTopics, Fsync: cfg.Fsync, Log: cfg.Log,
	})
	if err != nil {
		return nil, err
	}
	server, err := StartClickHouse(ctx, ClickHouseConfig{
		DataDir: filepath.Join(dir, "clickhouse"), Port: cfg.ClickHousePort, HTTPPort: cfg.ClickHouseHTTPPort,
		MemoryMaxBytes: cfg.MemoryMaxBytes, Fsync: cfg.Fsync, Progress: cfg.Progress, Log: cfg.Log,
	})
	if err != nil {
		return nil, errors.Join(err, broker.Close())
	}
	return &Stack{Kafka: broker, ClickHouse: server, dataDir: dir}, nil
}

// Addresses returns where both parts listen.
func (s *Stack) Addresses() Addresses {
	return Addresses{
		Kafka:          s.Kafka.Addr(),
		ClickHouse:     s.ClickHouse.Addr(),
		ClickHouseHTTP: s.ClickHouse.URL(),
		DataDir:        s.dataDir,
	}
}

// Close stops both parts and keeps their data. A second call does nothing.
func (s *Stack) Close() error {
	return errors.Join(s.ClickHouse.Close(), s.Kafka.Close())
}
