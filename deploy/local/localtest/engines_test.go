package localtest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// TestEndToEndTransactions: a broker of every kind commits and aborts transactions, for which a real one connects to itself, and
// gives members of a group what was committed.
func TestEndToEndTransactions(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	topic := fmt.Sprintf("transactions-%d", os.Getpid())
	broker := Broker(t)
	connect := func(opts ...kgo.Opt) *kgo.Client {
		t.Helper()
		c, err := kgo.NewClient(append(opts, kgo.SeedBrokers(broker))...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		return c
	}
	producer := connect(kgo.TransactionalID(topic), kgo.DefaultProduceTopic(topic))
	if _, err := kadm.NewClient(producer).CreateTopic(ctx, 3, 1, nil, topic); err != nil {
		t.Fatal(err)
	}
	for i, end := range []kgo.TransactionEndTry{kgo.TryCommit, kgo.TryAbort, kgo.TryCommit} {
		if err := producer.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		if err := producer.ProduceSync(ctx, kgo.StringRecord(fmt.Sprint(i))).FirstErr(); err != nil {
			t.Fatal(err)
		}
		if err := producer.EndTransaction(ctx, end); err != nil {
			t.Fatal(err)
		}
	}
	member := connect(kgo.ConsumerGroup(topic), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	got := map[string]bool{}
	for len(got) < 2 {
		fetches := member.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatalf("after %v: %v", got, err)
		}
		fetches.EachRecord(func(r *kgo.Record) { got[string(r.Value)] = true })
	}
	if !got["0"] || !got["2"] || got["1"] {
		t.Errorf("read %v, want what was committed: 0 and 2", got)
	}
	if err := member.CommitUncommittedOffsets(ctx); err != nil {
		t.Error(err)
	}
}

func TestWithoutADockerEngineItSaysSo(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/var/run/docker.sock"); err == nil {
		t.Skip("there is a Docker engine, and the library finds it whatever the environment says")
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestEndToEndTransactions$")
	cmd.Env = append(os.Environ(), envKafka+"=container", "DOCKER_HOST=tcp://127.0.0.1:1", "HOME="+t.TempDir(), "XDG_RUNTIME_DIR="+t.TempDir())
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "no Docker engine answers: ") || !strings.Contains(string(out), "make test-kafka") {
		t.Errorf("%v: %s", err, out)
	}
}
