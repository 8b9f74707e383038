package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// commandWaitMax bounds how long brokers have to take a command.
const commandWaitMax = 30 * time.Second

// commandKey keeps all commands in one partition, in the order in which they were given.
const commandKey = "seamline.identity"

// Command puts an operator's command into the topic of commands, and tells where it stands once all replicas have it.
func Command(ctx context.Context, cfg Config, value []byte) (partition int32, offset int64, err error) {
	opts, err := cfg.Options()
	if err != nil {
		return 0, 0, err
	}
	client, err := kgo.NewClient(append([]kgo.Opt{kgo.RequiredAcks(kgo.AllISRAcks()), kgo.UnknownTopicRetries(3)}, opts...)...)
	if err != nil {
		return 0, 0, fmt.Errorf("connect to Kafka: %w", err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeoutCause(ctx, commandWaitMax, fmt.Errorf("no broker took it within %s", commandWaitMax))
	defer cancel()
	record, err := client.ProduceSync(ctx, &kgo.Record{Topic: cfg.Identity, Key: []byte(commandKey), Value: value}).First()
	switch {
	case errors.Is(err, kerr.UnknownTopicOrPartition):
		return 0, 0, fmt.Errorf("%w: %s; seamline run creates it with kafka.topics.create, or says how", ErrNoTopic, cfg.Identity)
	case err != nil && ctx.Err() != nil:
		return 0, 0, fmt.Errorf("publish the command to %s: %w", cfg.Identity, context.Cause(ctx))
	case err != nil:
		return 0, 0, fmt.Errorf("publish the command to %s: %w", cfg.Identity, err)
	}
	return record.Partition, record.Offset, nil
}
