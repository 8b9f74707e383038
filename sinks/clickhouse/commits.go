package clickhouse

import (
	"context"
	"fmt"
	"time"

	"github.com/seamline/seamline/schemas"
)

// commitTable is the table commits.
type commitTable struct {
	block
	id          string // of the pipeline
	rulesDigest string

	pipeline                                        words
	batch, records, events, rejects, dups, profiles fixed[uint64]
	at                                              fixed[int64]
	topic, stage, drop                              words
	topics, partitions, froms, tos                  array
	partitionNumber                                 fixed[int32]
	from, to                                        fixed[int64]
	micros, drops                                   fixed[uint64]
	durations, dropped                              dictionary
	format                                          fixed[uint16]
	isFixed, rewind                                 fixed[bool]
	latest, advance                                 fixed[int64]
	rules                                           words
}

func newCommitTable(database string, opt Options) *commitTable {
	t := &commitTable{id: opt.PipelineID, rulesDigest: opt.Rules, batch: uint64s(), records: uint64s(), events: uint64s(), rejects: uint64s(), dups: uint64s(),
		profiles: uint64s(), at: times(), partitionNumber: int32s(), from: int64s(), to: int64s(), micros: uint64s(), drops: uint64s(),
		format: uint16s(), isFixed: bools(), rewind: bools(), latest: times(), advance: times()}
	t.topics.items, t.partitions.items, t.froms.items, t.tos.items = &t.topic, &t.partitionNumber, &t.from, &t.to
	t.durations.keys, t.durations.values = &t.stage, &t.micros
	t.dropped.keys, t.dropped.values = &t.drop, &t.drops
	t.block = newBlock(database, "commits",
		named{"pipeline", &t.pipeline}, named{"batch", &t.batch}, named{"time", &t.at}, named{"topics", &t.topics},
		named{"partitions", &t.partitions}, named{"offsets_from", &t.froms}, named{"offsets_to", &t.tos}, named{"records", &t.records},
		named{"events", &t.events}, named{"rejects", &t.rejects}, named{"duplicates", &t.dups}, named{"dropped", &t.dropped},
		named{"profiles", &t.profiles}, named{"durations", &t.durations}, named{"format", &t.format},
		named{"fixed", &t.isFixed}, named{"latest", &t.latest}, named{"advance_to", &t.advance}, named{"rewind", &t.rewind},
		named{"rules", &t.rules})
	t.measured = &t.durations
	return t
}

func (t *commitTable) fill(b *schemas.Batch) []*block {
	t.reset()
	t.pipeline.add(t.id)
	t.batch.add(b.Number)
	t.at.add(int64(b.Now))
	for _, r := range b.Ranges {
		t.topic.add(r.Topic)
		t.partitionNumber.add(r.Partition)
		t.from.add(r.From)
		t.to.add(r.To)
	}
	for _, a := range []*array{&t.topics, &t.partitions, &t.froms, &t.tos} {
		a.end()
	}
	t.records.add(uint64(len(b.Records)))
	t.events.add(uint64(len(b.Events)))
	t.rejects.add(uint64(len(b.Rejects)))
	t.profiles.add(uint64(len(b.Profiles)))
	t.addDropped(b.Dropped)
	for _, took := range b.Took {
		t.stage.add(took.Stage)
		t.micros.add(uint64(max(0, took.Nanos)) / uint64(time.Microsecond))
	}
	t.durations.end()
	t.format.add(schemas.IntentFormat)
	t.isFixed.add(b.Fixed)
	t.latest.add(int64(b.Latest))
	t.advance.add(int64(b.Advance))
	t.rewind.add(b.Rewind)
	t.rules.add(t.rulesDigest)
	return t.filled()
}

func (t *commitTable) addDropped(dropped []schemas.DroppedElement) {
	for _, kind := range schemas.Drops() {
		count := uint64(0)
		for i := range dropped {
			if dropped[i].Drop == kind {
				count++
			}
		}
		if kind == schemas.DropDuplicate {
			t.dups.add(count)
		}
		if count > 0 {
			t.drop.add(string(kind))
			t.drops.add(count)
		}
	}
	t.dropped.end()
}

// LastBatch gives the number of the newest batch of this pipeline that the database holds; 0 for none.
func (s *Sink) LastBatch(ctx context.Context) (uint64, error) {
	_, rows, err := Query(ctx, s.cfg, "SELECT max(batch) FROM commits WHERE pipeline = ?", s.pipeline)
	if err != nil {
		return 0, err
	}
	last, ok := rows[0][0].(uint64)
	if !ok {
		return 0, fmt.Errorf("max(batch) of commits is a %T", rows[0][0])
	}
	return last, nil
}
