package clickhouse

import "github.com/seamline/seamline/schemas"

// deadLetterTable is the table dead_letters.
type deadLetterTable struct {
	block
	at, offset, recordTime fixed[int64]
	topic, reason          words
	partitionNumber        fixed[int32]
	element                fixed[uint32]
	detail, key, value     texts
	batch                  fixed[uint64]
}

func newDeadLetterTable(database string) *deadLetterTable {
	t := &deadLetterTable{at: times(), offset: int64s(), recordTime: times(), partitionNumber: int32s(), element: uint32s(), batch: uint64s()}
	t.block = newBlock(database, "dead_letters",
		named{"time", &t.at}, named{"topic", &t.topic}, named{"partition", &t.partitionNumber}, named{"offset", &t.offset},
		named{"element", &t.element}, named{"record_time", &t.recordTime}, named{"reason", &t.reason}, named{"detail", &t.detail},
		named{"key", &t.key}, named{"value", &t.value}, named{"_batch", &t.batch})
	return t
}

func (t *deadLetterTable) fill(b *schemas.Batch) []*block {
	t.reset()
	for i := range b.Rejects {
		r := &b.Rejects[i]
		t.at.add(int64(b.Now))
		t.topic.add(r.Record.Topic)
		t.partitionNumber.add(r.Record.Partition)
		t.offset.add(r.Record.Offset)
		t.element.add(uint32(r.Element))
		t.recordTime.add(int64(r.Record.Time))
		t.reason.add(string(r.Reason))
		t.detail.add(r.Detail)
		t.key.addBytes(r.Record.Key)
		t.value.addBytes(r.Value)
		t.batch.add(b.Number)
	}
	return t.filled()
}
