package kafka

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seamline/seamline/schemas"
)

// TestLeadersMove: while partitions move from broker to broker, and coordinators too, every record comes once and in its partition's
// order, and every intent is written once.
func TestLeadersMove(t *testing.T) {
	t.Parallel()
	const records, partitions = 3000, 4
	seed := time.Now().UnixNano()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(uint64(seed), 0))
	cluster, err := kfake.NewCluster(kfake.NumBrokers(3), kfake.SeedTopics(partitions, "pos"), kfake.SeedTopics(1, "seamline.intents"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	cfg := DefaultConfig()
	cfg.Brokers, cfg.Wait, cfg.Tick, cfg.RecordsMax = cluster.ListenAddrs()[0], 10*time.Millisecond, 20*time.Millisecond, 100
	g, err := Open(t.Context(), cfg, Options{Feeds: []schemas.Feed{schemas.FeedPOS}, Group: "test", Log: quiet, Now: time.Now,
		Report: func(error) {}, Registry: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	j, err := OpenJournal(t.Context(), cfg, JournalOptions{Key: "k", Instance: "i", Now: time.Now, Log: quiet, Waiting: func(string) {},
		Lost: func(err error) { t.Errorf("lost: %v", err) }, Report: func(error) {}}, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer j.abandon()
	if _, _, err := j.Next(t.Context()); err != nil {
		t.Fatal(err)
	}
	produced := make(chan error, 1)
	go func() { produced <- produceSlowly(t.Context(), cfg.Brokers, records, partitions) }()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	next, total, batch := map[int32]int64{}, 0, uint64(0)
	for total < records {
		var b schemas.Batch
		if err := g.Next(ctx, &b); err != nil {
			t.Fatalf("after %d records: %v", total, err)
		}
		for _, r := range b.Records {
			if r.Offset != next[r.Partition] {
				t.Fatalf("partition %d: offset %d follows where %d must", r.Partition, r.Offset, next[r.Partition])
			}
			next[r.Partition]++
		}
		if total += len(b.Records); len(b.Records) == 0 {
			continue
		}
		batch++
		if err := j.Write(ctx, &schemas.Intent{Format: schemas.IntentFormat, Batch: batch}); err != nil {
			t.Fatal(err)
		}
		switch rnd.IntN(4) {
		case 0:
			cluster.ShufflePartitionLeaders()
		case 1:
			cluster.RehashCoordinators()
		case 2:
			if err := cluster.MoveTopicPartition("pos", int32(rnd.IntN(partitions)), int32(rnd.IntN(3))); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := <-produced; err != nil {
		t.Fatal(err)
	}
	j.abandon()
	again, err := OpenJournal(t.Context(), cfg, JournalOptions{Key: "k", Instance: "i", Now: time.Now, Log: quiet, Report: func(error) {}}, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer again.abandon()
	for want := uint64(1); want <= batch; want++ {
		if i, _, err := again.Next(ctx); err != nil || i == nil || i.Batch != want {
			t.Fatalf("intent %d is %+v, error %v", want, i, err)
		}
	}
}

func produceSlowly(ctx context.Context, brokers string, records, partitions int) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		return err
	}
	defer client.Close()
	for i := range records {
		r := &kgo.Record{Topic: "pos", Partition: int32(i % partitions), Value: fmt.Append(nil, i)}
		if i%20 != 0 {
			client.Produce(ctx, r, nil)
		} else if err := client.ProduceSync(ctx, r).FirstErr(); err != nil {
			return err
		}
	}
	return client.Flush(ctx)
}
