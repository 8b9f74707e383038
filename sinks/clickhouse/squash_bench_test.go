package clickhouse

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/seamline/seamline/schemas"
)

// BenchmarkSquash tells what 100,000 merges over a million events cost: with each batch, in queries, and to be rid of them.
func BenchmarkSquash(b *testing.B) {
	const events, perBatch, people, merged = 1_000_000, 50_000, 200_000, 100_000
	person := func(n int) (id schemas.ProfileID) {
		binary.BigEndian.PutUint64(id[:], uint64(n)*0x9e3779b97f4a7c15)
		id[15] = 1
		return id
	}
	for b.Loop() {
		cfg := squashConfig(b)
		s := open(b, cfg)
		r := rand.New(rand.NewPCG(1, 1))
		number := uint64(0)
		for range events / perBatch {
			number++
			batch := usual(r, number, perBatch)
			batch.Profiles, batch.Identifiers = nil, nil
			for _, e := range batch.Events {
				n := r.IntN(people)
				e.ProfileID, e.Leaf = person(n), uint32(n+1)
			}
			write(b, s, batch)
		}
		took := func(name string, f func()) {
			start := time.Now()
			f()
			b.ReportMetric(float64(time.Since(start).Microseconds())/1000, name+"-ms")
		}
		query := func() { one(b, cfg, "SELECT toString(uniq(profile_id)) FROM events_resolved") }
		query()
		took("query-none-pending", query)
		merges := func(from, count int) {
			number++
			batch := &schemas.Batch{Number: number, Now: start}
			for n := from; n < from+count; n++ {
				batch.Aliases = append(batch.Aliases, schemas.Alias{AliasID: person(n), ProfileID: person(people/2 + n), Since: start})
			}
			write(b, s, batch)
		}
		k := squasherOf(b, s, func() uint64 { return number })
		must := func(f func() error) func() {
			return func() {
				if err := f(); err != nil {
					b.Fatal(err)
				}
			}
		}
		must(func() error { return k.ready(b.Context(), number) })()
		for at := 0; at < merged-200; at += 9980 {
			merges(at, 9980)
		}
		took("query-pending", query)
		took("batch-of-100-merges-100k-recent", func() { merges(merged-200, 100) })
		took("settle", must(func() error { return k.settle(b.Context(), number) }))
		must(func() error { return k.emptyNow(b.Context()) })()
		took("batch-of-100-merges", func() { merges(merged-100, 100) })
		took("query-settled", query)
		took("squash", must(func() error { return k.squash(b.Context()) }))
		must(func() error { return k.retireLeaves(b.Context()) })()
		took("retire", must(func() error { return k.retireAliases(b.Context()) }))
		took("query-squashed", query)
		took("squash-nothing", must(func() error { return k.squash(b.Context()) }))
		b.ReportMetric(counted(b, s.metrics.squashed.WithLabelValues("events")), "rows-rewritten")
		b.ReportMetric(0, "ns/op")
	}
}
