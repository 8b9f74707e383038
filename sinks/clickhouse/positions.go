package clickhouse

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"

	"github.com/seamline/seamline/schemas"
)

// Accepted tells f every position within the ranges that a batch before one wrote to events or dead_letters, in no order, and a
// position that was written twice perhaps twice. Topic is valid after the call as well.
func (s *Sink) Accepted(ctx context.Context, ranges []schemas.Range, before uint64, f func(topic string, partition int32, offset int64, element int, isRefused bool)) error {
	topics := map[string]string{}
	for some := range slices.Chunk(ranges, rangesMax) {
		if err := s.accepted(ctx, some, before, func(topic []byte, partition int32, offset int64, element int, isRefused bool) {
			name, ok := topics[string(topic)]
			if !ok {
				name = string(topic)
				topics[name] = name
			}
			f(name, partition, offset, element, isRefused)
		}); err != nil {
			return fmt.Errorf("read accepted positions: %w", err)
		}
	}
	return nil
}

// rangesMax bounds the text of a query.
const rangesMax = 500

func (s *Sink) accepted(ctx context.Context, ranges []schemas.Range, before uint64, f func(topic []byte, partition int32, offset int64, element int, isRefused bool)) error {
	query := fmt.Sprintf(`SELECT CAST(kafka_topic AS String) AS t, kafka_partition AS p, kafka_offset AS o, element AS e, false AS r FROM %[1]s.events WHERE _batch < %[2]d AND (%[3]s)
UNION ALL SELECT CAST(topic AS String) AS t, partition AS p, offset AS o, element AS e, true AS r FROM %[1]s.dead_letters WHERE _batch < %[2]d AND (%[4]s)`,
		s.cfg.Database, before, within(ranges, "kafka_"), within(ranges, ""))
	var topic proto.ColStr
	var partition proto.ColInt32
	var offset proto.ColInt64
	var element proto.ColUInt32
	var refused proto.ColBool
	return s.aside.do(ctx, func() ch.Query {
		return ch.Query{Body: query, Result: proto.Results{{Name: "t", Data: &topic}, {Name: "p", Data: &partition}, {Name: "o", Data: &offset}, {Name: "e", Data: &element}, {Name: "r", Data: &refused}},
			OnResult: func(context.Context, proto.Block) error {
				for i := range partition {
					f(topic.RowBytes(i), partition[i], offset[i], int(element[i]), refused[i])
				}
				return nil
			}}
	})
}

// within is the condition that a row's position is in one of the ranges. Columns of events have a prefix.
func within(ranges []schemas.Range, prefix string) string {
	var b strings.Builder
	for i, r := range ranges {
		if i > 0 {
			b.WriteString(" OR ")
		}
		fmt.Fprintf(&b, "%[1]stopic = %[2]s AND %[1]spartition = %[3]d AND %[1]soffset >= %[4]d AND %[1]soffset < %[5]d",
			prefix, quote(r.Topic), r.Partition, r.From, r.To)
	}
	return b.String()
}

// Orphans removes the rows of events, of what is made of single events, of contact data, of steps of journeys, and of dead_letters that batches after a number wrote: rows of a batch
// whose intent was lost, so that no replay writes them again. Rows of other tables are replaced by what the next batches write. It costs a look at
// an index where there are none.
func (s *Sink) Orphans(ctx context.Context, after uint64) error {
	for _, table := range []string{"events", "order_lines", "consents", "survey_answers", "contacts", "contacts_clear", "journey_changes", "dead_letters"} {
		n, err := s.remove(ctx, table, fmt.Sprintf("_batch > %d", after))
		if err != nil {
			return fmt.Errorf("remove rows of lost batches: %w", err)
		}
		if n > 0 {
			s.log.Warn("removed rows of batches whose intents were lost", "table", table, "rows", n, "after", after)
		}
	}
	return nil
}

// Prune removes from every table the rows that batches before one wrote, at the end of a rebuild over existing tables: what the rebuild
// has not written again is no longer true. Rows do not say which pipeline wrote them, so that the tables must be of this pipeline
// alone; of commits, only its own go. They go last, so that a prune that was cut short is seen and done again. Copies of the state are
// DropState's.
func (s *Sink) Prune(ctx context.Context, before uint64) error {
	for _, t := range append(s.tables[:len(s.tables):len(s.tables)], s.commits) {
		condition := fmt.Sprintf("_batch < %d", before)
		switch t.name() {
		case "profiles", "audience_members":
			condition = fmt.Sprintf("version < %d", before) // mutations do not take aliases
		case "commits":
			if err := s.pending.reload(ctx, dictionaries()...); err != nil { // aliases and leaves are pruned
				return err
			}
			condition = fmt.Sprintf("pipeline = %s AND batch < %d", quote(s.pipeline), before)
		}
		n, err := s.remove(ctx, t.name(), condition)
		if err != nil {
			return fmt.Errorf("prune: %w", err)
		}
		s.log.Info("pruned rows of before the rebuild", "table", t.name(), "rows", n, "before", before)
	}
	return nil
}

// SettleDeadLetters removes the dead letters within the ranges whose position is in events now, since a later build or other settings
// could read them.
func (s *Sink) SettleDeadLetters(ctx context.Context, ranges []schemas.Range) error {
	for some := range slices.Chunk(ranges, rangesMax) {
		condition := fmt.Sprintf("(%s) AND (topic, partition, offset, element) IN (SELECT kafka_topic, kafka_partition, kafka_offset, element FROM %s.events WHERE %s)",
			within(some, ""), s.cfg.Database, within(some, "kafka_"))
		n, err := s.remove(ctx, "dead_letters", condition)
		if err != nil {
			return fmt.Errorf("settle dead letters: %w", err)
		}
		if n > 0 {
			s.log.Info("removed dead letters that became events", "rows", n)
		}
	}
	return nil
}

// mutationSettings make a mutation end before its answer, on every replica, and let it read other tables: the line stands still.
var mutationSettings = []ch.Setting{{Key: "mutations_sync", Value: "2"}, {Key: "allow_nondeterministic_mutations", Value: "1"}}

// remove deletes the rows of a table that meet a condition, on disk too, and tells how many there were. It starts no mutation where
// there are none.
func (s *Sink) remove(ctx context.Context, table, condition string) (uint64, error) {
	var count proto.ColUInt64
	var total uint64
	query := fmt.Sprintf("SELECT count() AS n FROM %s.%s WHERE %s", s.cfg.Database, table, condition)
	err := s.aside.do(ctx, func() ch.Query {
		total = 0
		return ch.Query{Body: query, Result: proto.Results{{Name: "n", Data: &count}},
			OnResult: func(context.Context, proto.Block) error {
				for _, n := range count {
					total += n
				}
				return nil
			}}
	})
	if err != nil {
		return 0, fmt.Errorf("count rows of %s: %w", table, err)
	}
	if total == 0 {
		return 0, nil
	}
	statement := fmt.Sprintf("ALTER TABLE %s.%s DELETE WHERE %s", s.cfg.Database, table, condition)
	if err := s.aside.do(ctx, func() ch.Query { return ch.Query{Body: statement, Settings: mutationSettings} }); err != nil {
		return 0, fmt.Errorf("delete %d rows of %s: %w", total, table, err)
	}
	return total, nil
}
