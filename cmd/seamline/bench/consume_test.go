package bench

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

func TestDiscard(t *testing.T) {
	t.Parallel()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	brokers := cluster.ListenAddrs()[0]
	k, err := OpenKafka(brokers)
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	ctx := t.Context()
	if err := k.CreateTopic(ctx, "calls", 3); err != nil {
		t.Fatal(err)
	}
	if err := k.CreateTopic(ctx, "calls", 3); err == nil {
		t.Error("a topic was made twice")
	}
	const count = 25_000
	for i := range count {
		k.client.Produce(ctx, &kgo.Record{Topic: "calls", Value: fmt.Appendf(nil, "%d", i)}, nil)
	}
	if err := k.client.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	if records, err := k.Records(ctx, "calls"); err != nil || records != count {
		t.Errorf("the topic has %d records: %v", records, err)
	}
	if records, took, err := Discard(ctx, brokers, "calls"); err != nil || records != count || took <= 0 {
		t.Errorf("read %d records in %s: %v", records, took, err)
	}
	if _, _, err := Discard(ctx, brokers, "calls", "others"); err == nil {
		t.Error("read a topic that is not there")
	}
	if committed, err := k.Committed(ctx, "group"); err != nil || committed != 0 {
		t.Errorf("a group that is not there has committed %d: %v", committed, err)
	}
	var offsets kadm.Offsets
	offsets.AddOffset("calls", 0, 10, -1)
	offsets.AddOffset("calls", 2, 5, -1)
	if err := k.admin.CommitAllOffsets(ctx, "group", offsets); err != nil {
		t.Fatal(err)
	}
	if committed, err := k.Committed(ctx, "group"); err != nil || committed != 15 {
		t.Errorf("the group has committed %d: %v", committed, err)
	}
}
