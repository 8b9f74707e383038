package local

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

func startKafka(t *testing.T, cfg KafkaConfig) *Kafka {
	t.Helper()
	k, err := StartKafka(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := k.Close(); err != nil {
			t.Error(err)
		}
	})
	return k
}

func client(t *testing.T, addr string, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	c, err := kgo.NewClient(append(opts, kgo.SeedBrokers(addr))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func publish(t *testing.T, addr, topic string, values ...string) {
	t.Helper()
	c := client(t, addr, kgo.DefaultProduceTopic(topic))
	for i, value := range values {
		key := fmt.Appendf(nil, "%d", i)
		if err := c.ProduceSync(t.Context(), &kgo.Record{Key: key, Value: []byte(value)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
}

// read polls as a group member until it has count records, and commits them.
func read(t *testing.T, addr, topic string, count int) map[string]bool {
	t.Helper()
	// After a restart the broker answers the first fetch only when the wait ends.
	c := client(t, addr, kgo.ConsumeTopics(topic), kgo.ConsumerGroup("readers"), kgo.FetchMaxWait(200*time.Millisecond),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	values := map[string]bool{}
	for len(values) < count {
		fetches := c.PollFetches(t.Context())
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		fetches.EachRecord(func(r *kgo.Record) { values[string(r.Value)] = true })
	}
	if err := c.CommitUncommittedOffsets(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.Close() // Leaves the group, so that the next reader need not wait for this one's session to end.
	return values
}

func TestTheBrokerKeepsItsDataOnAnotherPort(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	first := startKafka(t, KafkaConfig{DataDir: dir, Topics: []string{"clickstream"}, Fsync: true})
	publish(t, first.Addr(), "clickstream", "one", "two", "three")
	if got := read(t, first.Addr(), "clickstream", 3); !got["one"] || !got["two"] || !got["three"] {
		t.Errorf("read %v", got)
	}
	old := first.Addr()
	publish(t, old, "clickstream", "four")
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Errorf("a second Close: %v", err)
	}
	other := otherPort(t, old)
	second := startKafka(t, KafkaConfig{DataDir: dir, Port: other, Topics: []string{"clickstream"}})
	if want := fmt.Sprintf("127.0.0.1:%d", other); second.Addr() != want {
		t.Errorf("listens on %s, want %s", second.Addr(), want)
	}
	brokers, err := kadm.NewClient(client(t, second.Addr())).ListBrokers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(brokers) != 1 || int(brokers[0].Port) != other {
		t.Errorf("the broker advertises %+v, want port %d", brokers, other)
	}
	if got := read(t, second.Addr(), "clickstream", 1); len(got) != 1 || !got["four"] {
		t.Errorf("the group reads %v after its commit, want four", got)
	}
}

func otherPort(t *testing.T, addr string) int {
	t.Helper()
	for {
		port, err := freePort(0)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(addr, fmt.Sprintf(":%d", port)) {
			return port
		}
	}
}

func TestTopicsHaveTheirPartitions(t *testing.T) {
	t.Parallel()
	k := startKafka(t, KafkaConfig{Topics: []string{"clickstream"}})
	if err := k.CreateTopic("narrow", 1); err != nil {
		t.Fatal(err)
	}
	if err := k.CreateTopic("narrow", 3); err != nil {
		t.Errorf("a topic that exists: %v", err)
	}
	if err := k.CreateTopic("bad name", 1); err == nil {
		t.Error("a bad name was accepted")
	}
	topics, err := kadm.NewClient(client(t, k.Addr())).ListTopics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := len(topics["clickstream"].Partitions); got != PartitionsDefault {
		t.Errorf("clickstream has %d partitions, want %d", got, PartitionsDefault)
	}
	if got := len(topics["narrow"].Partitions); got != 1 {
		t.Errorf("narrow has %d partitions, want 1", got)
	}
	wide := startKafka(t, KafkaConfig{Topics: []string{"clickstream"}, Partitions: 12})
	if got := len(wide.Cluster().PartitionInfos("clickstream")); got != 12 {
		t.Errorf("clickstream has %d partitions, want 12", got)
	}
	if _, err := StartKafka(t.Context(), KafkaConfig{Partitions: -1}); err == nil {
		t.Error("-1 partitions were accepted")
	}
	if _, err := StartKafka(t.Context(), KafkaConfig{Port: 70000}); err == nil {
		t.Error("port 70000 was accepted")
	}
}

func TestUnknownTopicsAppearOnlyWhenAllowed(t *testing.T) {
	t.Parallel()
	f := func(auto bool) {
		t.Helper()
		k := startKafka(t, KafkaConfig{AutoTopics: auto})
		c := client(t, k.Addr(), kgo.AllowAutoTopicCreation(), kgo.UnknownTopicRetries(0), kgo.DefaultProduceTopic("new"))
		err := c.ProduceSync(t.Context(), kgo.StringRecord("x")).FirstErr()
		if exists := k.Cluster().TopicInfo("new") != nil; exists != auto || (err == nil) != auto {
			t.Errorf("allowed %t: exists %t, error %v", auto, exists, err)
		}
	}
	f(true)
	f(false)
}

func TestADamagedDirectoryIsAnError(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	if err := os.MkdirAll(filepath.Join(dir, "data"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "data", "meta.json"), []byte("{torn"), 0o644); err != nil {
		t.Fatal(err)
	}
	for range 2 { // The lock must be free again after the failure.
		_, err := StartKafka(context.Background(), KafkaConfig{DataDir: dir})
		if err == nil || !strings.Contains(err.Error(), "persisted state") {
			t.Errorf("error is %v", err)
		}
	}
}
