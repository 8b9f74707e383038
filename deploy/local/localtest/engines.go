package localtest

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/wait"

	"github.com/seamline/seamline/deploy/local"
)

// The variables that choose what end-to-end tests run on, and the images where that is containers.
const (
	envKafka           = "SEAMLINE_TEST_KAFKA"      // kfake (default), apache or container
	envClickHouse      = "SEAMLINE_TEST_CLICKHOUSE" // embedded (default) or container
	envKafkaImage      = "SEAMLINE_TEST_KAFKA_IMAGE"
	envClickHouseImage = "SEAMLINE_TEST_CLICKHOUSE_IMAGE"

	kafkaImage      = "apache/kafka:4.1.0"
	clickHouseImage = "clickhouse/clickhouse-server:25.8"

	containerStartMax = 3 * time.Minute
)

// engine is a broker or server that the tests of a process share.
type engine struct {
	addr  string
	close func() error
}

var (
	apache             = sync.OnceValues(startApache)
	kafkaContainer     = sync.OnceValues(startKafkaContainer)
	serverContainer    = sync.OnceValues(startServerContainer)
	enginesMu          sync.Mutex // guards engines
	engines            []engine
	errNoDockerMessage = "no Docker engine answers: %v; start one, or use make test and make test-kafka"
)

func keep(e engine, err error) (engine, error) {
	if err == nil {
		enginesMu.Lock()
		defer enginesMu.Unlock()
		engines = append(engines, e)
	}
	return e, err
}

// Broker gives the address of a Kafka broker of the kind that SEAMLINE_TEST_KAFKA names. A real one is shared by the tests of the
// process, so that each test uses topics of its own.
func Broker(t testing.TB) string {
	t.Helper()
	switch kind := os.Getenv(envKafka); kind {
	case "", "kfake":
		return Kafka(t).Addr()
	case "apache":
		return shared(t, apache)
	case "container":
		return shared(t, kafkaContainer)
	default:
		t.Fatalf("%s is %q, want kfake, apache or container", envKafka, kind)
		return ""
	}
}

// Server gives the native address of a ClickHouse of the kind that SEAMLINE_TEST_CLICKHOUSE names, shared by the tests of the
// process.
func Server(t testing.TB) string {
	t.Helper()
	switch kind := os.Getenv(envClickHouse); kind {
	case "", "embedded":
		return ClickHouse(t).Addr()
	case "container":
		return shared(t, serverContainer)
	default:
		t.Fatalf("%s is %q, want embedded or container", envClickHouse, kind)
		return ""
	}
}

func shared(t testing.TB, start func() (engine, error)) string {
	t.Helper()
	e, err := start()
	if err != nil {
		t.Fatal(err)
	}
	return e.addr
}

func startApache() (engine, error) {
	dir, err := os.MkdirTemp("", "seamline-kafka-")
	if err != nil {
		return engine{}, err
	}
	k, err := local.StartApacheKafka(context.Background(), dir, os.Stderr)
	if err != nil {
		return engine{}, err
	}
	return keep(engine{addr: k.Addr(), close: func() error {
		err := k.Close()
		_ = os.RemoveAll(dir) // of a test; what is left of it costs nothing
		return err
	}}, nil)
}

// container runs an image with one port that has the same number outside and is known before the start.
func container(image, port string, env map[string]string) (engine, error) {
	provider, err := testcontainers.NewDockerProvider()
	if err == nil {
		err = provider.Health(context.Background())
	}
	if err != nil {
		return engine{}, fmt.Errorf(errNoDockerMessage, err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return engine{}, err
	}
	outside := ln.Addr().(*net.TCPAddr).Port
	if err := ln.Close(); err != nil {
		return engine{}, err
	}
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(outside))
	for key, value := range env {
		env[key] = os.Expand(value, func(string) string { return addr })
	}
	c, err := testcontainers.Run(context.Background(), image, testcontainers.WithExposedPorts(fmt.Sprintf("127.0.0.1:%d:%s/tcp", outside, port)),
		testcontainers.WithEnv(env), testcontainers.WithWaitStrategyAndDeadline(containerStartMax, wait.ForListeningPort(port+"/tcp")))
	if err != nil {
		return engine{}, fmt.Errorf("run %s: %w", image, err)
	}
	return keep(engine{addr: addr, close: func() error { return c.Terminate(context.Background()) }}, nil)
}

func startKafkaContainer() (engine, error) {
	return container(imageOf(envKafkaImage, kafkaImage), "9092", map[string]string{
		"KAFKA_NODE_ID": "1", "KAFKA_PROCESS_ROLES": "broker,controller",
		"KAFKA_LISTENERS":                                "PLAINTEXT://:9092,CONTROLLER://:9093",
		"KAFKA_ADVERTISED_LISTENERS":                     "PLAINTEXT://${addr}",
		"KAFKA_CONTROLLER_LISTENER_NAMES":                "CONTROLLER",
		"KAFKA_LISTENER_SECURITY_PROTOCOL_MAP":           "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
		"KAFKA_CONTROLLER_QUORUM_VOTERS":                 "1@localhost:9093",
		"KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR":         "1",
		"KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
		"KAFKA_TRANSACTION_STATE_LOG_MIN_ISR":            "1",
		"KAFKA_AUTO_CREATE_TOPICS_ENABLE":                "false",
		"KAFKA_MESSAGE_MAX_BYTES":                        "16777216",
		"KAFKA_REPLICA_FETCH_MAX_BYTES":                  "16777216",
	})
}

func startServerContainer() (engine, error) {
	return container(imageOf(envClickHouseImage, clickHouseImage), "9000",
		map[string]string{"CLICKHOUSE_SKIP_USER_SETUP": "1"})
}

func imageOf(env, fallback string) string {
	if image := os.Getenv(env); image != "" {
		return image
	}
	return fallback
}

// stopEngines ends what Broker and Server started.
func stopEngines() error {
	enginesMu.Lock()
	defer enginesMu.Unlock()
	var failed error
	for _, e := range engines {
		if err := e.close(); err != nil {
			failed = err
		}
	}
	return failed
}
