package localtest

import (
	"context"
	"errors"
	"os"
	"sync"
	"testing"

	"github.com/seamline/seamline/deploy/local"
)

// The variables that choose what end-to-end tests run on.
const (
	envKafka      = "SEAMLINE_TEST_KAFKA"      // kfake (default), apache or container
	envClickHouse = "SEAMLINE_TEST_CLICKHOUSE" // embedded (default) or container
)

// engine is a broker or server that the tests of a process share.
type engine struct {
	addr  string
	close func() error
}

var (
	apache          = sync.OnceValues(startApache)
	kafkaContainer  = sync.OnceValues(startKafkaContainer)
	serverContainer = sync.OnceValues(startServerContainer)
	enginesMu       sync.Mutex // guards engines
	engines         []engine
)

// keep makes an engine end with the process.
func keep(e engine) engine {
	enginesMu.Lock()
	defer enginesMu.Unlock()
	engines = append(engines, e)
	return e
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
	}}), nil
}

// stopEngines ends what Broker and Server started.
func stopEngines() error {
	enginesMu.Lock()
	defer enginesMu.Unlock()
	var failed error
	for _, e := range engines {
		failed = errors.Join(failed, e.close())
	}
	engines = nil
	return failed
}
