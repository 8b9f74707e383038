package kafka

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seamline/seamline/deploy/local"
	"github.com/seamline/seamline/schemas"
)

func TestGapStopsTheLine(t *testing.T) {
	t.Parallel()
	k := broker(t)
	for i := range 10 {
		produce(t, k, fmt.Sprintf("pos/0 %d v%d", i+1, i))
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(k.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	var offsets kadm.Offsets
	offsets.AddOffset("pos", 0, 5, -1)
	if _, err := kadm.NewClient(client).DeleteRecords(t.Context(), offsets); err != nil {
		t.Fatal(err)
	}
	opt := Options{Feeds: []schemas.Feed{schemas.FeedPOS}, Group: "test", Log: quiet, Now: time.Now, Report: func(error) {},
		Registry: prometheus.NewRegistry(), Start: []schemas.Range{{Topic: "pos", Partition: 0, To: 3}}}
	_, err = Open(t.Context(), testConfig(k), opt)
	if !errors.Is(err, ErrGap) || !strings.Contains(err.Error(), "offset 5") || !strings.Contains(err.Error(), "is 3") {
		t.Errorf("got error %v, want a gap from 3 to 5", err)
	}
	// A first start begins with what is there.
	if values, _ := drain(t, open(t, testConfig(k), Options{UntilCaughtUp: true})); values != "v5 v6 v7 v8 v9" {
		t.Errorf("first start: got %s", values)
	}
}

// TestGapInAPartitionThatWasEmpty: a partition of which nothing was read yet has a position as well, so that records that come to it and
// go again while nobody looks are missed.
func TestGapInAPartitionThatWasEmpty(t *testing.T) {
	t.Parallel()
	k := broker(t)
	produce(t, k, "pos/0 1 v")
	_, batches := drain(t, open(t, testConfig(k), Options{UntilCaughtUp: true}))
	var positions []schemas.Range
	for _, b := range batches {
		positions = append(positions, b.Ranges...)
	}
	if want := 2 * local.PartitionsDefault; len(positions) != want {
		t.Fatalf("%d positions, want one for each of %d partitions: %v", len(positions), want, positions)
	}
	produce(t, k, "pos/1 2 w")
	client, err := kgo.NewClient(kgo.SeedBrokers(k.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	var offsets kadm.Offsets
	offsets.AddOffset("pos", 1, 1, -1)
	if _, err := kadm.NewClient(client).DeleteRecords(t.Context(), offsets); err != nil {
		t.Fatal(err)
	}
	opt := Options{Feeds: []schemas.Feed{schemas.FeedClickstream, schemas.FeedPOS}, Group: "test", Log: quiet, Now: time.Now, Report: func(error) {},
		Registry: prometheus.NewRegistry()}
	opt.Start = positions
	if _, err := Open(t.Context(), testConfig(k), opt); !errors.Is(err, ErrGap) {
		t.Errorf("from the positions: got error %v, want a gap", err)
	}
	opt.Start, opt.Registry = nil, prometheus.NewRegistry()
	opt.Intents = &intentList{{Batch: 1, Ranges: positions}}
	g, err := Open(t.Context(), testConfig(k), opt)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	if err := g.Next(t.Context(), &schemas.Batch{}); !errors.Is(err, ErrGap) {
		t.Errorf("from an intent: got error %v, want a gap", err)
	}
}

func TestTransactionMarkersAreNoRecords(t *testing.T) {
	t.Parallel()
	k := broker(t)
	client, err := kgo.NewClient(kgo.SeedBrokers(k.Addr()), kgo.TransactionalID("t"), kgo.DefaultProduceTopic("pos"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for i, end := range []kgo.TransactionEndTry{kgo.TryCommit, kgo.TryAbort, kgo.TryCommit} {
		if err := client.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		if err := client.ProduceSync(t.Context(), kgo.StringRecord(fmt.Sprint("v", i))).FirstErr(); err != nil {
			t.Fatal(err)
		}
		if err := client.EndTransaction(t.Context(), end); err != nil {
			t.Fatal(err)
		}
	}
	// Ends at a marker: without counting markers the gatherer would wait for ever.
	values, batches := drain(t, open(t, testConfig(k), Options{UntilCaughtUp: true}))
	if values != "v0 v2" {
		t.Errorf("got %s, want v0 v2", values)
	}
	position := int64(0)
	for _, b := range batches {
		for _, r := range b.Ranges {
			position = max(position, r.To)
		}
	}
	if position != 6 {
		t.Errorf("the position is %d, want 6", position)
	}
}

func TestNewPartitionsAreFound(t *testing.T) {
	t.Parallel()
	k := broker(t)
	cfg := testConfig(k)
	cfg.RecheckTopics = time.Millisecond
	g := open(t, cfg, Options{})
	client, err := kgo.NewClient(kgo.SeedBrokers(k.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := kadm.NewClient(client).UpdatePartitions(t.Context(), local.PartitionsDefault+1, "pos"); err != nil {
		t.Fatal(err)
	}
	produce(t, k, fmt.Sprintf("pos/%d 1 new", local.PartitionsDefault))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for {
		var b schemas.Batch
		if err := g.Next(ctx, &b); err != nil {
			t.Fatal(err)
		}
		if len(b.Records) == 1 && string(b.Records[0].Value) == "new" {
			return
		}
	}
}

func TestCommittedExportsOffsets(t *testing.T) {
	t.Parallel()
	k := broker(t)
	g := open(t, testConfig(k), Options{})
	if err := g.Committed(t.Context(), []schemas.Range{{Topic: "pos", Partition: 2, To: 41}}); err != nil {
		t.Fatal(err)
	}
	offsets, err := g.admin.FetchOffsets(t.Context(), "test")
	if err != nil {
		t.Fatal(err)
	}
	if o, ok := offsets.Lookup("pos", 2); !ok || o.At != 41 {
		t.Errorf("the group's offset is %+v, want 41", o)
	}
}
