package kafka

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seamline/seamline/deploy/local"
	"github.com/seamline/seamline/deploy/local/localtest"
	"github.com/seamline/seamline/schemas"
)

// openJournal opens a journal of an instance that stands at a batch.
func openJournal(t *testing.T, k *local.Kafka, instance string, after uint64, change func(*JournalOptions)) *Journal {
	t.Helper()
	cfg := testConfig(k)
	cfg.TakeoverAfter = time.Second
	opt := JournalOptions{Key: "main/x", Instance: instance, After: after, Now: time.Now, Log: quiet,
		Waiting: func(string) {}, Lost: func(error) {}, Report: func(error) {}}
	if change != nil {
		change(&opt)
	}
	j, err := OpenJournal(t.Context(), cfg, opt, 0)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// follow gives the intents until this instance leads, as "batch" or "batch?" where it is in doubt.
func follow(t *testing.T, j *Journal) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var got []string
	for {
		i, written, err := j.Next(ctx)
		if err != nil {
			t.Fatalf("after %v: %v", got, err)
		}
		if i == nil {
			return strings.Join(got, " ")
		}
		doubt := "?"
		if written {
			doubt = ""
		}
		got = append(got, fmt.Sprint(i.Batch, doubt))
	}
}

func write(t *testing.T, j *Journal, batches ...uint64) {
	t.Helper()
	for _, b := range batches {
		if err := j.Write(t.Context(), &schemas.Intent{Format: schemas.IntentFormat, Batch: b, Rules: "r"}); err != nil {
			t.Fatal(err)
		}
	}
}

// abandon ends an instance as a crash does: nothing is said.
func (j *Journal) abandon() {
	if j.stopBeating != nil {
		j.stopBeating()
		j.beating.Wait()
	}
	if j.producer != nil {
		j.producer.Close()
	}
	j.consumer.Close()
}

func TestJournalAfterACrash(t *testing.T) {
	t.Parallel()
	k := localtest.Kafka(t)
	a := openJournal(t, k, "a", 0, nil)
	if got := follow(t, a); got != "" {
		t.Fatalf("an empty journal gives %q", got)
	}
	write(t, a, 1, 2, 3)
	if offset := a.Offset(2); offset == 0 {
		t.Error("the place of batch 2 is not known")
	}
	a.abandon()
	// The same directory: nobody else can be alive, so there is no wait.
	began := time.Now()
	again := openJournal(t, k, "a", 1, nil)
	if got := follow(t, again); got != "2 3?" {
		t.Errorf("got %q, want only the newest in doubt", got)
	}
	if took := time.Since(began); took > 900*time.Millisecond {
		t.Errorf("the same instance took %s to lead again", took)
	}
	again.Finished(3)
	if err := again.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	// It resigned, and said what is whole: another instance leads at once, and nothing is in doubt.
	b := openJournal(t, k, "b", 0, nil)
	defer b.abandon()
	if got := follow(t, b); got != "1 2 3" {
		t.Errorf("got %q", got)
	}
}

func TestStandbyFollowsAndTakesOver(t *testing.T) {
	t.Parallel()
	k := localtest.Kafka(t)
	a := openJournal(t, k, "a", 0, nil)
	follow(t, a)
	write(t, a, 1, 2)
	waited := make(chan string, 1)
	b := openJournal(t, k, "b", 0, func(o *JournalOptions) { o.Waiting = func(leader string) { waited <- leader } })
	defer b.abandon()
	for _, want := range []string{"1 true", "2 true"} {
		if want == "2 true" {
			a.Finished(2) // the next sign of life says so
		}
		i, written, err := b.Next(t.Context())
		if err != nil || fmt.Sprint(i.Batch, written) != want {
			t.Fatalf("got %+v, %v, error %v; want %s", i, written, err, want)
		}
	}
	if leader := <-waited; leader != "a" {
		t.Errorf("waited for %q", leader)
	}
	write(t, a, 3)
	a.abandon()
	if got := follow(t, b); got != "3?" {
		t.Errorf("at the takeover: got %q", got)
	}
	write(t, b, 4)
}

// TestZombie: an instance that was paused, and wakes up after another took over, can write no intent. The new leader is not disturbed.
func TestZombie(t *testing.T) {
	t.Parallel()
	k := localtest.Kafka(t)
	lost := make(chan error, 1)
	a := openJournal(t, k, "a", 0, func(o *JournalOptions) { o.Lost = func(err error) { lost <- err } })
	follow(t, a)
	write(t, a, 1)
	a.mu.Lock() // paused: no heartbeat comes through
	b := openJournal(t, k, "b", 0, nil)
	if got := follow(t, b); got != "1?" {
		t.Errorf("got %q", got)
	}
	write(t, b, 2)
	a.mu.Unlock() // it wakes up
	if err := a.Write(t.Context(), &schemas.Intent{Batch: 2, Rules: "zombie"}); !errors.Is(err, ErrFenced) {
		t.Errorf("the zombie's intent: got error %v, want ErrFenced", err)
	}
	write(t, b, 3, 4)
	a.abandon()
	b.abandon()
	c := openJournal(t, k, "b", 0, nil)
	defer c.abandon()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for want := uint64(1); want <= 4; want++ {
		i, _, err := c.Next(ctx)
		if err != nil || i.Batch != want || i.Rules != "r" {
			t.Fatalf("intent %d is %+v, error %v", want, i, err)
		}
	}
}

// TestZombieNoticesWithoutWriting: an idle leader that was taken over from learns it with its next sign of life.
func TestZombieNoticesWithoutWriting(t *testing.T) {
	t.Parallel()
	k := localtest.Kafka(t)
	lost := make(chan error, 1)
	a := openJournal(t, k, "a", 0, func(o *JournalOptions) { o.Lost = func(err error) { lost <- err } })
	follow(t, a)
	a.mu.Lock()
	b := openJournal(t, k, "b", 0, nil)
	defer b.abandon()
	follow(t, b)
	a.mu.Unlock()
	if err := <-lost; !errors.Is(err, ErrFenced) {
		t.Errorf("got error %v", err)
	}
	a.abandon()
}

func TestOnceDoesNotWaitForALivingLeader(t *testing.T) {
	t.Parallel()
	k := localtest.Kafka(t)
	a := openJournal(t, k, "a", 0, nil)
	follow(t, a)
	b := openJournal(t, k, "b", 0, func(o *JournalOptions) { o.Once = true })
	defer b.abandon()
	if _, _, err := b.Next(t.Context()); !errors.Is(err, ErrLed) {
		t.Errorf("got error %v, want ErrLed", err)
	}
	// Another pipeline in the same topic is none of its business.
	c := openJournal(t, k, "c", 0, func(o *JournalOptions) { o.Once, o.Key = true, "other/x" })
	defer c.abandon()
	if got := follow(t, c); got != "" {
		t.Errorf("another pipeline's journal gives %q", got)
	}
	a.abandon()
}

func TestForgottenAndDamagedIntents(t *testing.T) {
	t.Parallel()
	k := localtest.Kafka(t)
	a := openJournal(t, k, "a", 4, nil)
	follow(t, a)
	write(t, a, 5, 6)
	a.abandon()
	b := openJournal(t, k, "a", 2, nil)
	if b.First() != 5 {
		t.Errorf("the first intent is %d", b.First())
	}
	b.Prepend([]schemas.Intent{{Batch: 3}, {Batch: 4}})
	if got := follow(t, b); got != "3 4 5 6?" {
		t.Errorf("got %q", got)
	}
	b.abandon()
	c := openJournal(t, k, "a", 2, nil)
	if _, _, err := c.Next(t.Context()); !errors.Is(err, schemas.ErrDamaged) {
		t.Errorf("a missing intent: got error %v", err)
	}
	c.abandon()

	intent := schemas.Intent{Format: schemas.IntentFormat, Batch: 7}
	value, err := intent.Encode()
	if err != nil {
		t.Fatal(err)
	}
	value[len(value)/3] ^= 4
	client, err := kgo.NewClient(kgo.SeedBrokers(k.Addr()), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	r := &kgo.Record{Topic: "seamline.intents", Key: []byte("main/x"), Value: value, Headers: []kgo.RecordHeader{{Key: "kind", Value: []byte("intent")}}}
	if err := client.ProduceSync(t.Context(), r).FirstErr(); err != nil {
		t.Fatal(err)
	}
	cfg := testConfig(k)
	_, err = OpenJournal(t.Context(), cfg, JournalOptions{Key: "main/x", Instance: "a", Now: time.Now, Log: quiet, Report: func(error) {}}, 0)
	if !errors.Is(err, schemas.ErrDamaged) || !strings.Contains(err.Error(), "offset") {
		t.Errorf("a flipped bit: got error %v", err)
	}
}

// TestBrokerOutage: a journal whose brokers go away for a while goes on by itself, and nobody else's entries come in between.
func TestBrokerOutage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	k, err := local.StartKafka(t.Context(), local.KafkaConfig{DataDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	a := openJournal(t, k, "a", 0, nil)
	follow(t, a)
	write(t, a, 1)
	_, port, err := net.SplitHostPort(k.Addr())
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		done <- a.Write(t.Context(), &schemas.Intent{Format: schemas.IntentFormat, Batch: 2, Rules: "r"})
	}()
	select {
	case err := <-done:
		t.Fatalf("written without brokers: %v", err)
	case <-time.After(300 * time.Millisecond):
	}
	if k, err = local.StartKafka(t.Context(), local.KafkaConfig{DataDir: dir, Port: number}); err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	write(t, a, 3)
	a.abandon()
	b := openJournal(t, k, "b", 0, nil)
	defer b.abandon()
	if got := follow(t, b); got != "1 2 3?" {
		t.Errorf("after the outage the journal gives %q", got)
	}
}
