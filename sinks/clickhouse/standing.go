package clickhouse

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"

	"github.com/seamline/seamline/schemas"
)

// Stand is how far the tables of a pipeline have come.
type Stand struct {
	Batch     uint64
	Positions []schemas.Range // From is the first offset, To the one after the last
	Now       schemas.Time    // the clock reading of the last batch
	Clock     schemas.Time    // how far time was moved without events; 0 for not at all
	Latest    schemas.Time    // see schemas.Batch; 0 where no batch had one
}

// Standing tells how far the tables of a pipeline have come. It is zero where they hold no batch.
func Standing(ctx context.Context, cfg Config, pipeline string) (Stand, error) {
	var s Stand
	_, rows, err := Query(ctx, cfg, "SELECT max(batch), argMax(time, batch), max(advance_to), max(latest) FROM commits WHERE pipeline = ?", pipeline)
	if err != nil {
		return s, fmt.Errorf("read how far the tables are: %w", err)
	}
	row := rows[0]
	s.Batch = row[0].(uint64)
	s.Now, s.Clock, s.Latest = schemas.TimeOf(row[1].(time.Time)), schemas.TimeOf(row[2].(time.Time)), schemas.TimeOf(row[3].(time.Time))
	s.Positions, err = FirstOffsets(ctx, cfg, pipeline)
	return s, err
}

// FirstOffsets gives for every partition the first offset, as From, and the one after the last, as To, that the tables were made of.
func FirstOffsets(ctx context.Context, cfg Config, pipeline string) ([]schemas.Range, error) {
	_, rows, err := Query(ctx, cfg, `SELECT topic, partition, min(since), max(upto) FROM commits
		ARRAY JOIN topics AS topic, partitions AS partition, offsets_from AS since, offsets_to AS upto
		WHERE pipeline = ? AND NOT rewind GROUP BY topic, partition ORDER BY topic, partition`, pipeline)
	if err != nil {
		return nil, fmt.Errorf("read the positions of the tables: %w", err)
	}
	var ranges []schemas.Range
	for _, row := range rows {
		ranges = append(ranges, schemas.Range{Topic: row[0].(string), Partition: row[1].(int32), From: row[2].(int64), To: row[3].(int64)})
	}
	return ranges, nil
}

// Drop removes a database with everything in it, if it is there.
func Drop(ctx context.Context, cfg Config) error {
	server := cfg
	server.Database = anyDatabase
	if _, _, err := Query(ctx, server, "DROP DATABASE IF EXISTS "+cfg.Database+" SYNC"); err != nil {
		return fmt.Errorf("drop database %s: %w", cfg.Database, err)
	}
	return nil
}

// idsMax bounds the text of a query.
const idsMax = 2000

// AcceptedIDs calls f for the events among these whose source and id are in the table events, written by a batch before one.
func (s *Sink) AcceptedIDs(ctx context.Context, events []*schemas.Event, before uint64, f func(source, id string)) error {
	for len(events) > 0 {
		some := events[:min(idsMax, len(events))]
		events = events[len(some):]
		var list strings.Builder
		for i, e := range some {
			if i > 0 {
				list.WriteByte(',')
			}
			fmt.Fprintf(&list, "(%s,%s)", quote(e.Source), quote(e.ID))
		}
		query := fmt.Sprintf("SELECT DISTINCT CAST(source AS String) AS s, event_id AS i FROM %s.events WHERE _batch < %d AND (source, event_id) IN (%s)",
			s.cfg.Database, before, list.String())
		var source, id proto.ColStr
		err := s.aside.do(ctx, func() ch.Query {
			return ch.Query{Body: query, Result: proto.Results{{Name: "s", Data: &source}, {Name: "i", Data: &id}},
				OnResult: func(context.Context, proto.Block) error {
					for i := range source.Rows() {
						f(source.Row(i), id.Row(i))
					}
					return nil
				}}
		})
		if err != nil {
			return fmt.Errorf("look for event ids: %w", err)
		}
	}
	return nil
}
