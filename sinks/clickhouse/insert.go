package clickhouse

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"
)

// attemptsMax is how many tokens a block may use up. A token is used up where the server dropped the block as a duplicate of
// rows that are not there, which happens when it was killed at the wrong instant.
const attemptsMax = 4

// insert makes a block durable: the server has its rows, or has just said that it had taken the same block before and shows them.
func (s *Sink) insert(ctx context.Context, b *block, batch uint64) error {
	doing := fmt.Sprintf("write %d rows to %s", b.rows(), b.table)
	for attempt := range attemptsMax {
		duplicates, err := s.send(ctx, b, s.settings(b.token(s.pipeline, batch, attempt)))
		if err != nil {
			return writeError(doing, err)
		}
		if duplicates == 0 {
			return nil
		}
		s.metrics.duplicates.WithLabelValues(b.table).Inc()
		rows, err := s.count(ctx, b, batch)
		if err != nil {
			return writeError("verify a repeated block of "+b.table, err)
		}
		if rows >= uint64(b.rows()) {
			return nil
		}
		s.log.Warn("clickhouse took a block for a repeated one, but its rows are not all there; sending it again",
			"table", b.table, "batch", batch, "rows", b.rows(), "found", rows, "attempt", attempt+1)
	}
	// Rows of an older batch may have been replaced since, so that they are not found under any token. Every table is keyed, so
	// that sending them once more is harmless.
	_, err := s.send(ctx, b, []ch.Setting{{Key: "async_insert", Value: "0"}, {Key: "insert_deduplicate", Value: "0"},
		{Key: "deduplicate_insert", Value: "disable"}, duplicatePaths})
	return writeError(doing, err)
}

// duplicatePaths lets the JSON type take objects that name a member twice, as producers may.
var duplicatePaths = ch.Setting{Key: "type_json_skip_duplicated_paths", Value: "1"}

// settings are those of one INSERT. A server that does not know one of them passes over it.
func (s *Sink) settings(token string) []ch.Setting {
	return []ch.Setting{
		{Key: "async_insert", Value: "0"},
		{Key: "insert_deduplicate", Value: "1"},
		{Key: "deduplicate_insert", Value: "enable"},
		{Key: "deduplicate_blocks_in_dependent_materialized_views", Value: "1"},
		{Key: "insert_deduplication_token", Value: token},
		duplicatePaths,
	}
}

// send runs one INSERT of one block and gives how many blocks the server dropped as duplicates.
func (s *Sink) send(ctx context.Context, b *block, settings []ch.Setting) (duplicates int64, err error) {
	start := s.clock()
	err = s.pool.do(ctx, func() ch.Query {
		duplicates = 0
		return ch.Query{Body: b.statement, Input: b.input, Settings: settings,
			OnProfileEvents: func(_ context.Context, events []ch.ProfileEvent) error {
				for i := range events {
					if events[i].Name == "DuplicatedInsertedBlocks" && events[i].Type == proto.ProfileIncrement {
						duplicates += events[i].Value
					}
				}
				return nil
			}}
	})
	if err != nil {
		return 0, err
	}
	s.metrics.rows.WithLabelValues(b.table).Add(float64(b.rows()))
	s.metrics.seconds.WithLabelValues(b.table).Observe(time.Duration(s.clock().Sub(start)).Seconds())
	return duplicates, nil
}

// count tells how many rows of the batch the block's partition has.
func (s *Sink) count(ctx context.Context, b *block, batch uint64) (uint64, error) {
	query := fmt.Sprintf("SELECT count() AS n FROM %s.%s WHERE _batch = %d", s.cfg.Database, b.table, batch)
	if b.where != "" {
		query += " AND " + b.where
	}
	var n proto.ColUInt64
	var total uint64
	err := s.pool.do(ctx, func() ch.Query {
		total = 0
		return ch.Query{Body: query, Result: proto.Results{{Name: "n", Data: &n}},
			OnResult: func(context.Context, proto.Block) error {
				for _, v := range n {
					total += v
				}
				return nil
			}}
	})
	return total, err
}

// reload makes the alias dictionary exact at once.
func (s *Sink) reload(ctx context.Context) error {
	err := s.pool.do(ctx, func() ch.Query { return ch.Query{Body: reloadStatement(s.cfg)} })
	if err != nil {
		return fmt.Errorf("reload the alias dictionary: %w", err)
	}
	return nil
}

func reloadStatement(c Config) string {
	statement := "SYSTEM RELOAD DICTIONARY "
	if c.Cluster != "" {
		statement += "ON CLUSTER `" + c.Cluster + "` "
	}
	return statement + c.Database + ".profile_aliases_dict"
}
