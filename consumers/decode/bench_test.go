package decode_test

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seamline/seamline/consumers/clickstream"
	"github.com/seamline/seamline/consumers/decode"
	"github.com/seamline/seamline/consumers/email"
	"github.com/seamline/seamline/consumers/pos"
	"github.com/seamline/seamline/deploy/shoppers"
	"github.com/seamline/seamline/schemas"
)

// stageRecords is the size of the line's batches.
const stageRecords = 100_000

// traffic gives what simulated shoppers send, of one feed or, where feed is empty, of all of them in their mix. No two records are the
// same memory, so that each is read cold, as it comes from the broker.
func traffic(b *testing.B, feed schemas.Feed) (records []schemas.Record, size int64) {
	cfg := shoppers.DefaultConfig()
	cfg.Shoppers, cfg.Duration = 3000, 60*24*time.Hour
	if feed == schemas.FeedPOS {
		cfg.VisitsPerDay, cfg.SessionsPerDay = 1, 0.1
	}
	generator := shoppers.New(cfg)
	for len(records) < stageRecords {
		r, ok := generator.Next()
		if !ok {
			b.Fatalf("the simulation is over after %d records", len(records))
		}
		if feed != "" && r.Topic != string(feed) {
			continue
		}
		record := schemas.Record{Topic: r.Topic, Feed: schemas.Feed(r.Topic), Offset: int64(len(records)), Time: schemas.TimeOf(r.Time), Key: r.Key, Value: r.Value}
		for _, h := range r.Headers {
			record.Headers = append(record.Headers, schemas.Header{Key: h.Key, Value: h.Value})
		}
		records = append(records, record)
		size += int64(len(r.Value))
	}
	return records, size
}

// BenchmarkStage measures the whole stage over a batch of simulated traffic: all of it, and each feed alone.
func BenchmarkStage(b *testing.B) {
	for _, feed := range []schemas.Feed{"", schemas.FeedClickstream, schemas.FeedEmail, schemas.FeedPOS} {
		name := string(feed)
		if name == "" {
			name = "mix"
		}
		records, size := traffic(b, feed) // once for all rounds
		b.Run(name, func(b *testing.B) {
			calls := clickstream.New(clickstream.DefaultConfig())
			stage := decode.New(decode.DefaultConfig(), map[schemas.Feed]schemas.Decoder{
				schemas.FeedClickstream: calls, schemas.FeedEmail: email.New(email.DefaultConfig(), calls), schemas.FeedPOS: pos.New(pos.DefaultConfig()),
			}, prometheus.NewRegistry())
			batch := &schemas.Batch{}
			run := func() {
				batch.Reset()
				batch.Records = append(batch.Records, records...)
				if err := stage.Apply(batch); err != nil {
					b.Fatal(err)
				}
			}
			run()
			b.SetBytes(size)
			b.ReportAllocs()
			cpu := processorTime(b)
			for b.Loop() {
				run()
			}
			events := float64(b.N) * float64(len(batch.Events))
			b.ReportMetric(float64(processorTime(b)-cpu)/events, "cpu-ns/event")
			b.ReportMetric(float64(size)/float64(len(records)), "bytes/record")
		})
	}
}
