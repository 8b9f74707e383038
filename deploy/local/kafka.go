package local

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"regexp"
	"sync"

	"github.com/twmb/franz-go/pkg/kfake"
)

// PartitionsDefault is how many partitions a new topic has when nobody says otherwise.
const PartitionsDefault = 6

// KafkaConfig describes one embedded broker.
type KafkaConfig struct {
	DataDir    string       // empty keeps everything in memory
	Port       int          // 0 takes a free port
	Topics     []string     // created when missing
	Partitions int          // of new topics; 0 means PartitionsDefault
	AutoTopics bool         // clients may create topics by naming them
	Fsync      bool         // every batch is synced to disk; without it a power loss may take the last seconds, a crash takes nothing
	Log        *slog.Logger // nil for none
}

// Kafka is a running embedded broker.
type Kafka struct {
	cluster    *kfake.Cluster
	addr       string
	partitions int
	lock       *dirLock // nil in memory
	logs       *brokerLog
	close      func() error
}

// StartKafka starts a broker on a loopback port. One that had the same data directory before finds its topics, records and
// committed offsets again, whatever the port is now.
func StartKafka(ctx context.Context, cfg KafkaConfig) (*Kafka, error) {
	if cfg.Partitions == 0 {
		cfg.Partitions = PartitionsDefault
	}
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	k := &Kafka{partitions: cfg.Partitions, logs: &brokerLog{log: orDiscard(cfg.Log)}}
	k.close = sync.OnceValue(k.shutdown)
	if cfg.DataDir != "" {
		lock, err := lockDir(ctx, cfg.DataDir)
		if err != nil {
			return nil, fmt.Errorf("start the embedded Kafka: %w", err)
		}
		k.lock = lock
	}
	if err := k.listen(cfg); err != nil {
		return nil, errors.Join(err, k.lock.release())
	}
	for _, topic := range cfg.Topics {
		if err := k.CreateTopic(topic, cfg.Partitions); err != nil {
			return nil, errors.Join(err, k.Close())
		}
	}
	return k, nil
}

func (c KafkaConfig) validate() error {
	if c.Port < 0 || c.Port > portMax {
		return fmt.Errorf("start the embedded Kafka: port %d is not between 0 and %d", c.Port, portMax)
	}
	if c.Partitions < 1 {
		return fmt.Errorf("start the embedded Kafka: %d partitions are not at least 1", c.Partitions)
	}
	return nil
}

func (k *Kafka) listen(cfg KafkaConfig) error {
	opts := []kfake.Opt{
		kfake.NumBrokers(1),
		kfake.Ports(cfg.Port),
		kfake.ClusterID("seamline-local"),
		kfake.DefaultNumPartitions(cfg.Partitions),
		kfake.WithLogger(k.logs),
	}
	if cfg.DataDir != "" {
		opts = append(opts, kfake.DataDir(filepath.Join(cfg.DataDir, "data")))
	}
	if cfg.AutoTopics {
		opts = append(opts, kfake.AllowAutoTopicCreation())
	}
	if cfg.Fsync {
		opts = append(opts, kfake.SyncWrites())
	}
	cluster, err := kfake.NewCluster(opts...)
	if err != nil {
		return fmt.Errorf("start the embedded Kafka on port %s: %w", portName(cfg.Port), err)
	}
	k.cluster, k.addr = cluster, cluster.ListenAddrs()[0]
	return nil
}

// Addr is the broker's host:port.
func (k *Kafka) Addr() string { return k.addr }

// Cluster is the broker itself, for tests that move leaders or inject faults.
func (k *Kafka) Cluster() *kfake.Cluster { return k.cluster }

// topicName is Kafka's rule, which the broker applies to its clients only.
var topicName = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,249}$`)

// CreateTopic creates a topic unless it exists; zero partitions mean the broker's default.
func (k *Kafka) CreateTopic(topic string, partitions int) error {
	if k.cluster.TopicInfo(topic) != nil {
		return nil
	}
	if !topicName.MatchString(topic) {
		return fmt.Errorf("create topic %q: a name has 1 to 249 letters, digits, dots, dashes and underscores", topic)
	}
	if partitions == 0 {
		partitions = k.partitions
	}
	if err := k.cluster.CreateTopic(topic, int32(partitions), nil); err != nil {
		return fmt.Errorf("create topic %s: %w", topic, err)
	}
	return nil
}

// Close stops the broker after it has written what it knows to its data directory. A second call does nothing.
func (k *Kafka) Close() error { return k.close() }

func (k *Kafka) shutdown() error {
	k.logs.forget()
	k.cluster.Close()
	if err := k.logs.failure(); err != nil {
		return errors.Join(fmt.Errorf("stop the embedded Kafka: %w", err), k.lock.release())
	}
	return k.lock.release()
}

// brokerLog hands the broker's log on and remembers the last error, since the broker's Close returns none.
type brokerLog struct {
	log  *slog.Logger
	mu   sync.Mutex // guards last
	last error
}

// Logf takes one message of the broker.
func (b *brokerLog) Logf(level kfake.LogLevel, format string, args ...any) {
	switch level {
	case kfake.LogLevelError:
		err := fmt.Errorf(format, args...)
		b.mu.Lock()
		b.last = err
		b.mu.Unlock()
		b.log.Error("embedded kafka", "err", err)
	case kfake.LogLevelWarn:
		b.log.Warn("embedded kafka", "detail", fmt.Sprintf(format, args...))
	default:
		b.log.Debug("embedded kafka", "detail", fmt.Sprintf(format, args...))
	}
}

func (b *brokerLog) forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.last = nil
}

func (b *brokerLog) failure() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.last
}
