package clickhouse

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
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
		if i%3 != 0 {
			p.Scores = usualScores(r, at)
		}
		b.Profiles = append(b.Profiles, p)
		b.Identifiers = append(b.Identifiers, schemas.IdentifierRow{ID: uint64(i), Namespace: "anonymous_id", Display: b.Events[i].ID, ProfileID: p.ID,
			Class: schemas.ClassShared, FirstSeen: at, LastSeen: at})
	}
	return b
}

// usualScores are those of a person who bought before.
func usualScores(r *rand.Rand, at schemas.Time) *schemas.Scores {
	s := &schemas.Scores{At: at, Models: 3, RecencyQuintile: 4, FrequencyQuintile: 2, MonetaryQuintile: 3, RepeatDays: 2, RepeatSpan: 40, Tenure: 90,
		AliveBGNBD: r.Float32(), AliveMBGNBD: r.Float32(), ExpectedOrders: r.Float32(), ExpectedOrdersBGNBD: r.Float32(), NextOrder: at + schemas.Day,
		RepeatValueMean: 300_000, ExpectedValue: 280_000, LifetimeValue: 900_000, Gap: 20 * r.Float32(), Churn: r.Float32(), Propensity: r.Float32(),
		Engagement: r.Float32(), ReadingMS: 90_000, ReadingPages: 7, SendHour: 30, SendHourBest: 31, SendHourClicks: 3, SendHourSends: 12, Omnichannel: 0.3,
		Handovers: 1, ChannelSwitches: 2, Lines: 6, PromotedLines: 2, Discount: 20_000, List: 500_000, DiscountShare: 0.3, DiscountDepth: 0.1,
		PriceSensitivity: 0.5, NPS: -1, CSAT: -1, LoyaltyPoints: 120, LoyaltyEarned: 140, LoyaltyBurned: 20, Margin: 100_000, GoodsCost: 200_000, ChannelCost: 900}
	s.ChannelBrowse[schemas.ChannelWeb], s.ChannelBrowse[schemas.ChannelApp] = 0.8, 0.2
	s.ChannelRespond[schemas.ChannelEmail], s.ChannelBuy[schemas.ChannelWeb] = 1, 1
	s.Consent[schemas.PurposeAnalytics], s.Consent[schemas.PurposeEmailMarketing] = schemas.ConsentGranted, schemas.ConsentDenied
	for i := range 5 {
		s.Categories = append(s.Categories, schemas.Weighed{Word: fmt.Sprintf("category %d", r.IntN(60)), Weight: float32(5 - i)})
		s.Brands = append(s.Brands, schemas.Weighed{Word: fmt.Sprintf("brand %d", r.IntN(200)), Weight: float32(5 - i)})
	}
	for range schemas.ScoreCount {
		s.Recommended = append(s.Recommended, schemas.Recommendation{SKU: fmt.Sprintf("SKU-%05d", r.IntN(20_000)), Score: r.Float32(),
			Reason: []string{"bought together", "viewed together", "popular"}[r.IntN(3)]})
	}
	return s
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
	for _, table := range allTables("bench", false, nil) {
		if table.fill(batch) == nil && !slices.Contains([]string{"catalog", "stock", "consents", "survey_answers", "contacts", "contacts_clear"}, table.name()) {
			continue
		}
		b.Run(table.name(), func(b *testing.B) {
			table.fill(batch)
			b.ReportAllocs()
			cpu := processCPU(b)
			for b.Loop() {
				table.fill(batch)
			}
			used := processCPU(b) - cpu
			rows := events
			if table.name() == "profiles" || table.name() == "identifiers" {
				rows = len(batch.Profiles)
			}
			b.ReportMetric(float64(used)/float64(b.N*rows), "cpu-ns/row")
		})
	}
}
