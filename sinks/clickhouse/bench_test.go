package clickhouse

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/seamline/seamline/schemas"
)

// usual is a batch as a shop's day gives it: mostly web events, most of their columns empty.
func usual(r *rand.Rand, number uint64, events int) *schemas.Batch {
	b := &schemas.Batch{Number: number, Now: start + schemas.Time(number)*schemas.Second}
	b.Ranges = []schemas.Range{{Topic: "clickstream", To: int64(number) * int64(events)}}
	b.Records = make([]schemas.Record, events)
	at := start + schemas.Time(number)*schemas.Minute
	for i := range events {
		rec := &b.Records[i]
		rec.Topic, rec.Offset, rec.Time, rec.Partition = "clickstream", int64(number)*int64(events)+int64(i), at+schemas.Time(i/2), int32(i%6)
		kind := []schemas.Type{schemas.TypePageView, schemas.TypeProductView, schemas.TypeProductView, schemas.TypeCartAdd, schemas.TypeSearch}[r.IntN(5)]
		e := &schemas.Event{ID: fmt.Sprintf("%08x-%04x-7000-8000-%012x", number, r.Uint32()&0xffff, r.Uint64()>>16), Source: "segment", Channel: schemas.ChannelWeb,
			Type: kind, Time: rec.Time - schemas.Time(r.IntN(3000)), Received: rec.Time, Record: rec, Profile: 1, ProfileID: schemas.ProfileID{},
			SessionID: r.Uint64(), IdentifierIDs: []uint64{uint64(r.IntN(1_000_000)), uint64(r.IntN(1_000_000))}}
		for j := range e.ProfileID {
			e.ProfileID[j] = byte(r.Uint32())
		}
		sku := fmt.Sprintf("SKU-%05d", r.IntN(20_000))
		e.PagePath = "/p/" + sku
		e.PageURL = "https://shop.example.com" + e.PagePath + "?ref=list"
		e.Referrer = "https://shop.example.com/c/shoes"
		e.Campaign = schemas.Campaign{Source: "google", Medium: "cpc", Name: fmt.Sprintf("spring-%d", r.IntN(20))}
		e.Country = []string{"DE", "US", "FR", "GB"}[r.IntN(4)]
		e.Properties = `{"user_agent":"Mozilla/5.0 (X11; Linux x86_64)","locale":"de-DE"}`
		if kind != schemas.TypePageView && kind != schemas.TypeSearch {
			e.SKU, e.Amount, e.Currency, e.Quantity = sku, schemas.Decimal(r.IntN(1_000_000)), "EUR", schemas.DecimalOne
		}
		b.Events = append(b.Events, e)
	}
	for i := range events / 5 {
		p := schemas.Profile{Index: uint32(i), ID: b.Events[i].ProfileID, Version: number, Anonymous: 1, Identifiers: 2, FirstSeen: at, LastSeen: at, Events: 4,
			Stage: schemas.JourneyVisitor, StageSince: at, Sessions: 1, ProductViews: 2, LastSessionID: r.Uint64(), LastSessionStart: at, State: make([]byte, 120)}
		p.Channels[schemas.ChannelWeb] = schemas.ChannelTotals{Events: 4, FirstSeen: at, LastSeen: at}
		b.Profiles = append(b.Profiles, p)
		b.Identifiers = append(b.Identifiers, schemas.IdentifierRow{ID: uint64(i), Namespace: "anonymous_id", Display: b.Events[i].ID, ProfileID: p.ID,
			Class: schemas.ClassShared, FirstSeen: at, LastSeen: at})
	}
	return b
}

// BenchmarkWrite tells rows per second of the whole sink, and what a row costs this process.
func BenchmarkWrite(b *testing.B) {
	for _, c := range []struct {
		events  int
		isFsync bool
	}{{1_000, true}, {1_000, false}, {10_000, true}, {10_000, false}, {100_000, true}, {100_000, false}} {
		b.Run(fmt.Sprintf("%d/fsync=%v", c.events, c.isFsync), func(b *testing.B) {
			events := c.events
			cfg := config(b)
			cfg.Fsync = c.isFsync
			s := open(b, cfg)
			r := rand.New(rand.NewPCG(1, 1))
			batches := []*schemas.Batch{usual(r, 1, events), usual(r, 2, events)}
			for _, batch := range batches {
				write(b, s, batch)
			}
			rows := events + 2*(events/5) + 1
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			cpu := processCPU(b)
			for n := 0; b.Loop(); n++ {
				batch := batches[n%2]
				batch.Number += 2
				write(b, s, batch)
			}
			runtime.ReadMemStats(&after)
			total := float64(rows) * float64(b.N)
			b.ReportMetric(total/b.Elapsed().Seconds(), "rows/s")
			b.ReportMetric(float64(processCPU(b)-cpu)/total, "client-ns/row")
			b.ReportMetric(float64(after.Mallocs-before.Mallocs)/total, "allocs/row")
			b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms/batch")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkFill tells what building the columns costs, without a server.
func BenchmarkFill(b *testing.B) {
	const events = 50_000
	batch := usual(rand.New(rand.NewPCG(1, 1)), 1, events)
	for _, table := range allTables("bench", false)[:2] {
		b.Run(table.name(), func(b *testing.B) {
			table.fill(batch)
			b.ReportAllocs()
			cpu := processCPU(b)
			for b.Loop() {
				table.fill(batch)
			}
			used := processCPU(b) - cpu
			rows := events
			if table.name() == "profiles" {
				rows = len(batch.Profiles)
			}
			b.ReportMetric(float64(used)/float64(b.N*rows), "cpu-ns/row")
		})
	}
}
