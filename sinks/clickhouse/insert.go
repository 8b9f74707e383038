package clickhouse

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"

	"github.com/seamline/seamline/schemas/fault"
)

// attemptsMax is how many tokens a block may use up. A token is used up where the server dropped the block as a duplicate of
// rows that are not there, which happens when it was killed at the wrong instant.
const attemptsMax = 4

// insert makes a block durable: the server has its rows, or has just said that it had taken the same block before and shows them.
func (s *Sink) insert(ctx context.Context, b *block, batch uint64) error {
	if err := s.insertOnce(ctx, s.pool, b, batch); err != nil {
		return writeError(fmt.Sprintf("write %d rows to %s", b.rows(), b.table), err)
	}
	fault.At(fault.PointBlock)
	return nil
}

func (s *Sink) insertOnce(ctx context.Context, to *pool, b *block, batch uint64) error {
	if s.isPlain {
		_, err := s.send(ctx, to, b, b.settings(withoutToken))
		return err
	}
	for attempt := range attemptsMax {
		if fault.Off(fault.Attempt) && attempt > 0 {
			_, err := s.send(ctx, to, b, b.settings(s.settings(b.token(s.pipeline, batch, 0))))
			return err
		}
		duplicates, err := s.send(ctx, to, b, b.settings(s.settings(b.token(s.pipeline, batch, attempt))))
		if err != nil || duplicates == 0 {
			return err
		}
		s.metrics.duplicates.WithLabelValues(b.table).Inc()
		if fault.Off(fault.Verify) {
			return nil
		}
		missing, err := s.missing(ctx, to, b, batch)
		if err != nil {
			return fmt.Errorf("verify a repeated block: %w", err)
		}
		if missing == 0 {
			return nil
		}
		s.log.Warn("clickhouse took a block for a repeated one, but its rows are not all there; sending it again",
			"table", b.table, "batch", batch, "rows", b.rows(), "missing", missing, "attempt", attempt+1)
	}
	// Rows of an older batch may have been replaced since, so that they are not found under any token. Every table is keyed, so
	// that sending them once more is harmless.
	_, err := s.send(ctx, to, b, b.settings(withoutToken))
	return err
}

// withoutToken are the settings of an INSERT that the server does not hold against earlier ones.
var withoutToken = []ch.Setting{{Key: "async_insert", Value: "0"}, {Key: "insert_deduplicate", Value: "0"},
	{Key: "deduplicate_insert", Value: "disable"}, duplicatePaths}

// duplicatePaths lets the JSON type take objects that name a member twice, as producers may.
var duplicatePaths = ch.Setting{Key: "type_json_skip_duplicated_paths", Value: "1"}

// settings are those of one INSERT. A server that does not know one of them passes over it.
func (s *Sink) settings(token string) []ch.Setting {
	if fault.Off(fault.Token) {
		return withoutToken
	}
	return []ch.Setting{
		{Key: "async_insert", Value: "0"},
		{Key: "insert_deduplicate", Value: "1"},
		{Key: "deduplicate_insert", Value: "enable"},
		{Key: "deduplicate_blocks_in_dependent_materialized_views", Value: "1"},
		{Key: "insert_deduplication_token", Value: token},
		duplicatePaths,
	}
}

// laterIndexes are the indexes that are expensive to make. Merges make them, so that only the newest parts, which are few and small, have
// to be read without.
var laterIndexes = ch.Setting{Key: "exclude_materialize_skip_indexes_on_insert",
	Value: "by_profile_id, by_order_id, by_event_id, by_value_hash, by_other_profile_id, by_a_id, by_b_id"}

// asGiven lets a server take rows as they are. Otherwise it looks for rows of one key and keeps the newest, as a merge does.
var asGiven = ch.Setting{Key: "optimize_on_insert", Value: "0"}

// settings adds what the block needs to those of an INSERT.
func (b *block) settings(of []ch.Setting) []ch.Setting {
	of = append(of[:len(of):len(of)], laterIndexes)
	if b.isKeyed {
		of = append(of, asGiven)
	}
	return of
}

// send runs one INSERT of one block and gives how many blocks the server dropped as duplicates.
func (s *Sink) send(ctx context.Context, to *pool, b *block, settings []ch.Setting) (duplicates int64, err error) {
	start := s.clock()
	err = to.do(ctx, func() ch.Query {
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

// missing tells how many keys of a block the table does not have as they were sent. It compares contents, not counts: rows of another
// block with the same batch number, such as one of a line that started over, do not stand for those of this one. The server merges
// rows of one key within a block, so that keys are counted, not rows.
func (s *Sink) missing(ctx context.Context, from *pool, b *block, batch uint64) (uint64, error) {
	var columns []string
	for _, c := range b.input {
		if c.Name == "profile_id" && s.pending.isRewritten(b.table, batch) {
			continue // the row may say who the person is by now
		}
		if _, isJSON := c.Data.(*jsons); !isJSON && c.Data != b.measured { // the JSON type does not give back the text
			columns = append(columns, c.Name)
		}
	}
	content := "cityHash64(" + strings.Join(columns, ", ") + ")"
	query := fmt.Sprintf("SELECT toInt64(assumeNotNull((SELECT uniqExact(%s) FROM sent))) - toInt64(uniqExact(%s)) AS n FROM %s.%s WHERE _batch = %d AND %s IN (SELECT %s FROM sent)",
		b.key, b.key, s.cfg.Database, b.table, batch, content, content)
	if b.where != "" {
		query += " AND " + b.where
	}
	var n proto.ColInt64
	var total int64
	err := from.do(ctx, func() ch.Query {
		total = 0
		return ch.Query{Body: query, Result: proto.Results{{Name: "n", Data: &n}}, ExternalTable: "sent", ExternalData: b.input,
			Settings: []ch.Setting{duplicatePaths},
			OnResult: func(context.Context, proto.Block) error {
				for _, v := range n {
					total += v
				}
				return nil
			}}
	})
	return uint64(max(0, total)), err
}
