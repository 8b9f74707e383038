package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seamline/seamline/schemas"
)

// ErrNoTopic says that a topic is missing and that Seamline was not told to create it.
var ErrNoTopic = errors.New("topic does not exist")

// TopicOptions are what EnsureTopics needs beside a Config.
type TopicOptions struct {
	Feeds  []schemas.Feed
	Report func(err error) // what is waited for; nil when nothing is
	Log    *slog.Logger
}

// EnsureTopics looks for every topic that is read or written. Missing ones are created where kafka.topics.create says so;
// otherwise the error holds the command that creates them. It waits for brokers that do not answer, and reports so.
func EnsureTopics(ctx context.Context, cfg Config, opt TopicOptions) error {
	opts, err := cfg.Options()
	if err != nil {
		return err
	}
	client, err := kgo.NewClient(opts...)
	if err != nil {
		return fmt.Errorf("connect to Kafka: %w", err)
	}
	defer client.Close()
	wanted := []string{cfg.Audiences, cfg.DeadLetters}
	for _, f := range opt.Feeds {
		wanted = append(wanted, cfg.Topic(f))
	}
	slices.Sort(wanted)
	return cfg.await(ctx, opt.Report, opt.Log, func() error { return ensure(ctx, kadm.NewClient(client), cfg, wanted) })
}

// Waits between tries to reach the brokers.
const (
	awaitMin = 200 * time.Millisecond
	awaitMax = 10 * time.Second
)

// await tries until it succeeds, ctx ends, or trying again cannot help, and reports what it waits for. It is for the start, where
// wrong credentials are a mistake.
func (c *Config) await(ctx context.Context, report func(error), log *slog.Logger, try func() error) error {
	return c.tryUntil(ctx, report, log, isFatal, try)
}

// outlast is await for a line that worked before: only what is gone for good ends it. Credentials expire, and are renewed.
func (c *Config) outlast(ctx context.Context, report func(error), log *slog.Logger, try func() error) error {
	return c.tryUntil(ctx, report, log, isGone, try)
}

func (c *Config) tryUntil(ctx context.Context, report func(error), log *slog.Logger, isFinal func(error) bool, try func() error) error {
	for wait := awaitMin; ; wait = min(2*wait, awaitMax) {
		err := try()
		report(err)
		if err == nil || isFinal(err) || ctx.Err() != nil {
			return err
		}
		log.Warn("waiting for Kafka", "brokers", c.Brokers, "wait_ms", wait.Milliseconds(), "err", err)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func ensure(ctx context.Context, admin *kadm.Client, cfg Config, wanted []string) error {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	topics, err := admin.ListTopics(ctx, wanted...)
	if err != nil {
		return fmt.Errorf("list topics: %w", err)
	}
	var missing []string
	for _, name := range wanted {
		if t, ok := topics[name]; !ok || errors.Is(t.Err, kerr.UnknownTopicOrPartition) {
			missing = append(missing, name)
		} else if t.Err != nil {
			return fmt.Errorf("topic %s: %w", name, t.Err)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	if !cfg.CreateTopics {
		return fmt.Errorf("%w: %s; create with\n%s\nor set kafka.topics.create", ErrNoTopic, strings.Join(missing, ", "), createCommands(cfg, missing))
	}
	for _, name := range missing {
		created, err := admin.CreateTopics(ctx, cfg.partitionsOf(name), int16(cfg.Replication), nil, name)
		if err != nil {
			return fmt.Errorf("create topic %s: %w", name, err)
		}
		if err := created.Error(); err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
			return fmt.Errorf("create topic %s: %w", name, err)
		}
	}
	return nil
}

// partitionsOf gives how many partitions a topic is created with. Commands are few, and one partition keeps them in the order in which
// they were given; more work as well, since records are taken in the order of their time.
func (c *Config) partitionsOf(topic string) int32 {
	if topic == c.Identity {
		return 1
	}
	return int32(c.Partitions)
}

func createCommands(cfg Config, missing []string) string {
	var lines []string
	for _, name := range missing {
		lines = append(lines, fmt.Sprintf("  kafka-topics.sh --bootstrap-server %s --create --topic %s --partitions %d --replication-factor %d",
			cfg.brokers()[0], name, cfg.partitionsOf(name), cfg.Replication))
	}
	return strings.Join(lines, "\n")
}
