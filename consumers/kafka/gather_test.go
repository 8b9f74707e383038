package kafka

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seamline/seamline/deploy/local"
	"github.com/seamline/seamline/deploy/local/localtest"
	"github.com/seamline/seamline/schemas"
)

func TestMain(m *testing.M) { localtest.Main(m) }

var quiet = slog.New(slog.DiscardHandler)

func testConfig(k *local.Kafka) Config {
	cfg := DefaultConfig()
	cfg.Brokers, cfg.Wait, cfg.Tick = k.Addr(), 50*time.Millisecond, 100*time.Millisecond
	return cfg
}

func open(t *testing.T, cfg Config, opt Options) *Gatherer {
	t.Helper()
	opt.Feeds = []schemas.Feed{schemas.FeedClickstream, schemas.FeedPOS}
	opt.Group, opt.Log, opt.Registry = "test", quiet, prometheus.NewRegistry()
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Report == nil {
		opt.Report = func(error) {}
	}
	g, err := Open(t.Context(), cfg, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	return g
}

// produce writes values at times, "topic/partition time value".
func produce(t *testing.T, k *local.Kafka, lines ...string) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(k.Addr()), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for _, line := range lines {
		var topic, value string
		var partition int32
		var at int64
		if _, err := fmt.Sscan(strings.Replace(line, "/", " ", 1), &topic, &partition, &at, &value); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		r := &kgo.Record{Topic: topic, Partition: partition, Timestamp: time.UnixMilli(at), Value: []byte(value)}
		if err := client.ProduceSync(t.Context(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
}

func broker(t *testing.T) *local.Kafka {
	t.Helper()
	return localtest.Kafka(t, "clickstream", "pos")
}

// drain gathers until the source ends and gives the values batch by batch, and all batches.
func drain(t *testing.T, g *Gatherer) (values string, batches []schemas.Batch) {
	t.Helper()
	var out []string
	for {
		var b schemas.Batch
		err := g.Next(t.Context(), &b)
		if errors.Is(err, io.EOF) {
			return strings.Join(out, " "), batches
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range b.Records {
			out = append(out, string(r.Value))
		}
		batches = append(batches, b)
	}
}

func TestCanonicalOrderUntilCaughtUp(t *testing.T) {
	t.Parallel()
	k := broker(t)
	produce(t, k, "pos/0 5 p5", "pos/0 3 p3", "clickstream/1 4 c4", "clickstream/0 5 c5", "clickstream/0 9 c9", "pos/1 1 p1")
	cfg := testConfig(k)
	g := open(t, cfg, Options{UntilCaughtUp: true})
	values, batches := drain(t, g)
	// By time, then topic, then partition; within a partition by offset, whatever the times say.
	if want := "p1 c4 c5 p5 p3 c9"; values != want {
		t.Errorf("got %s, want %s", values, want)
	}
	last := batches[len(batches)-1]
	if len(last.Records) != 0 || last.Now == 0 {
		t.Error("the last batch must be a tick, so that timers fire")
	}
	for _, b := range batches {
		for _, r := range b.Records {
			if want := map[string]schemas.Feed{"clickstream": schemas.FeedClickstream, "pos": schemas.FeedPOS}[r.Topic]; r.Feed != want {
				t.Errorf("record of %s has feed %s", r.Topic, r.Feed)
			}
		}
	}
}

// intentList gives intents that no sink has.
type intentList []schemas.Intent

func (l *intentList) Next(context.Context) (*schemas.Intent, bool, error) {
	if len(*l) == 0 {
		return nil, false, nil
	}
	i := (*l)[0]
	*l = (*l)[1:]
	return &i, false, nil
}

func TestStartsAtPositionsAndReplaysIntents(t *testing.T) {
	t.Parallel()
	k := broker(t)
	for i := range 10 {
		produce(t, k, fmt.Sprintf("pos/0 %d v%d", i+1, i))
	}
	replays := &intentList{
		{Batch: 1, Now: 111, Ranges: []schemas.Range{{Topic: "pos", Partition: 0, From: 2, To: 4}}},
		{Batch: 2, Now: 222, Fixed: true, Advance: 5, Ranges: []schemas.Range{{Topic: "pos", Partition: 0, From: 4, To: 7}}},
		{Batch: 3, Now: 333},
	}
	g := open(t, testConfig(k), Options{UntilCaughtUp: true, Start: []schemas.Range{{Topic: "pos", Partition: 0, To: 2}}, Intents: replays})
	values, batches := drain(t, g)
	if want := "v2 v3 v4 v5 v6 v7 v8 v9"; values != want {
		t.Errorf("got %s, want %s", values, want)
	}
	for i, want := range []string{"111 false 0 2", "222 true 5 3", "333 false 0 0"} {
		b := batches[i]
		if got := fmt.Sprint(int64(b.Now), b.Fixed, int64(b.Advance), len(b.Records)); got != want {
			t.Errorf("replay %d: got %s, want %s", i, got, want)
		}
	}
}

func TestBatchLimits(t *testing.T) {
	t.Parallel()
	k := broker(t)
	for i := range 20 {
		produce(t, k, fmt.Sprintf("clickstream/%d %d v%d", i%3, i+1, i))
	}
	cfg := testConfig(k)
	cfg.RecordsMax = 7
	_, batches := drain(t, open(t, cfg, Options{UntilCaughtUp: true}))
	total := 0
	for _, b := range batches {
		total += len(b.Records)
		if len(b.Records) > 7 {
			t.Errorf("a batch has %d records, the limit is 7", len(b.Records))
		}
	}
	if total != 20 {
		t.Errorf("gathered %d records, want 20", total)
	}
}

func TestFixedNow(t *testing.T) {
	t.Parallel()
	k := broker(t)
	produce(t, k, "pos/0 5 v")
	_, batches := drain(t, open(t, testConfig(k), Options{UntilCaughtUp: true, FixedNow: 777, AdvanceTo: 999}))
	for _, b := range batches {
		if b.Now != 777 || !b.Fixed {
			t.Errorf("batch has now %d, fixed %v", b.Now, b.Fixed)
		}
	}
	if last := batches[len(batches)-1]; last.Advance != 999 {
		t.Errorf("the last batch advances to %d, want 999", last.Advance)
	}
}

func TestWaitsForAnUnreachableBroker(t *testing.T) {
	t.Parallel()
	cfg := DefaultConfig()
	cfg.Brokers = "127.0.0.1:1"
	ctx, cancel := context.WithCancel(t.Context())
	var mu sync.Mutex
	var reported error
	report := func(err error) {
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			reported = err
			cancel()
		}
	}
	opt := Options{Feeds: []schemas.Feed{schemas.FeedPOS}, Group: "test", Log: quiet, Now: time.Now, Report: report, Registry: prometheus.NewRegistry()}
	_, err := Open(ctx, cfg, opt)
	mu.Lock()
	defer mu.Unlock()
	if err == nil || reported == nil {
		t.Errorf("got error %v, reported %v; want both", err, reported)
	}
}

func TestEnsureTopics(t *testing.T) {
	t.Parallel()
	k := localtest.Kafka(t)
	cfg := testConfig(k)
	list := TopicOptions{Feeds: []schemas.Feed{schemas.FeedPOS, schemas.FeedIdentity}, Report: func(error) {}, Log: quiet}
	err := EnsureTopics(t.Context(), cfg, list)
	if !errors.Is(err, ErrNoTopic) || !strings.Contains(err.Error(), "kafka-topics.sh --bootstrap-server "+k.Addr()+" --create --topic pos ") {
		t.Errorf("got error %v, want one with the command", err)
	}
	if err == nil || !strings.Contains(err.Error(), "--topic seamline.identity --partitions 1 ") {
		t.Errorf("got error %v, want one with the command for the topic of commands", err)
	}
	cfg.CreateTopics = true
	for range 2 {
		if err := EnsureTopics(t.Context(), cfg, list); err != nil {
			t.Fatal(err)
		}
	}
	cfg.CreateTopics = false
	if err := EnsureTopics(t.Context(), cfg, list); err != nil {
		t.Errorf("after creation: %v", err)
	}
	starts, err := Starts(t.Context(), cfg, list.Feeds)
	partitions := map[string]int{}
	for _, s := range starts {
		partitions[s.Topic]++
	}
	if err != nil || partitions["pos"] != cfg.Partitions || partitions["seamline.identity"] != 1 {
		t.Errorf("created with %v partitions, error %v", partitions, err)
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	f := func(want string, change func(c *Config)) {
		t.Helper()
		c := DefaultConfig()
		c.Brokers = "localhost:9092"
		change(&c)
		err := c.Validate()
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("got error %v, want %q", err, want)
		}
	}
	f("", func(*Config) {})
	f("kafka.brokers", func(c *Config) { c.Brokers = " " })
	f("both name topic", func(c *Config) { c.POS = c.Email })
	f("is empty", func(c *Config) { c.POS = "" })
	f("both name topic", func(c *Config) { c.Identity = c.Intents })
	f("is unknown", func(c *Config) { c.SASL = "kerberos" })
	f("token", func(c *Config) { c.SASL = "oauthbearer" })
	f("", func(c *Config) { c.SASL, c.OAuthToken = "OAUTHBEARER", "t" })
	f("belong together", func(c *Config) { c.TLSCert = "x" })
	f("batch.records", func(c *Config) { c.RecordsMax = 0 })
	var c Config
	fs := flag.NewFlagSet("", flag.ContinueOnError)
	c.Flags(fs)
	if fs.Lookup("kafka.topics.dead-letters") == nil {
		t.Error("a setting is missing")
	}
}

// TestLateRecordsTakeTheirPlaceInTheBatch: a record that comes while a batch waits for more, from a partition that had nothing until then,
// stands where a replay of the batch puts it.
func TestLateRecordsTakeTheirPlaceInTheBatch(t *testing.T) {
	t.Parallel()
	k := broker(t)
	cfg := testConfig(k)
	cfg.Wait = 700 * time.Millisecond
	g := open(t, cfg, Options{})
	produce(t, k, "pos/0 10 p10", "pos/0 7 p7", "pos/0 12 p12")
	go func() {
		time.Sleep(200 * time.Millisecond)
		produce(t, k, "clickstream/1 5 c5", "clickstream/0 11 c11")
	}()
	var b schemas.Batch
	for len(b.Records) == 0 {
		b.Reset()
		if err := g.Next(t.Context(), &b); err != nil {
			t.Fatal(err)
		}
	}
	values := func(b *schemas.Batch) string {
		var out []string
		for _, r := range b.Records {
			out = append(out, string(r.Value))
		}
		return strings.Join(out, " ")
	}
	got := values(&b)
	if len(b.Records) == 5 && got != "c5 p10 p7 c11 p12" {
		t.Errorf("got %s", got)
	}
	var again schemas.Batch
	replay := open(t, cfg, Options{Intents: &intentList{{Batch: 1, Ranges: b.Ranges}}})
	if err := replay.Next(t.Context(), &again); err != nil {
		t.Fatal(err)
	}
	if values(&again) != got {
		t.Errorf("gathered %s, and replayed %s", got, values(&again))
	}
}
