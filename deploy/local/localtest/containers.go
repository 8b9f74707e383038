package localtest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/wait"
)

// The images of the containers, and the variables that name others.
const (
	envKafkaImage      = "SEAMLINE_TEST_KAFKA_IMAGE"
	envClickHouseImage = "SEAMLINE_TEST_CLICKHOUSE_IMAGE"
	envHost            = "TESTCONTAINERS_HOST_OVERRIDE" // the library's own: where published ports are, if it guesses wrong

	kafkaImage      = "apache/kafka:4.1.0"
	clickHouseImage = "clickhouse/clickhouse-server:25.8"

	loopback = "127.0.0.1"

	noDocker          = "no Docker engine answers: %w; start one, or use make test and make test-kafka"
	answerMax         = 30 * time.Second
	containerStartMax = 3 * time.Minute
	containerStopMax  = time.Minute
)

// kafkaSettings make one broker of the image. Its own listener is apart from the one for clients, since a broker also connects to
// itself, for transactions among other things, and the address that clients use leads nowhere inside the container.
var kafkaSettings = map[string]string{
	"KAFKA_NODE_ID":                                  "1",
	"KAFKA_PROCESS_ROLES":                            "broker,controller",
	"KAFKA_LISTENERS":                                "INTERNAL://:19092,EXTERNAL://:9092,CONTROLLER://:9093",
	"KAFKA_LISTENER_SECURITY_PROTOCOL_MAP":           "INTERNAL:PLAINTEXT,EXTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT",
	"KAFKA_INTER_BROKER_LISTENER_NAME":               "INTERNAL",
	"KAFKA_CONTROLLER_LISTENER_NAMES":                "CONTROLLER",
	"KAFKA_CONTROLLER_QUORUM_VOTERS":                 "1@localhost:9093",
	"KAFKA_LOG_RETENTION_MS":                         "-1", // records of long ago are kept
	"KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR":         "1",
	"KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS":             "1",
	"KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
	"KAFKA_TRANSACTION_STATE_LOG_MIN_ISR":            "1",
	"KAFKA_TRANSACTION_STATE_LOG_NUM_PARTITIONS":     "1",
	"KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS":         "0",
	"KAFKA_AUTO_CREATE_TOPICS_ENABLE":                "false",
	"KAFKA_MESSAGE_MAX_BYTES":                        "16777216",
	"KAFKA_REPLICA_FETCH_MAX_BYTES":                  "16777216",
}

func startKafkaContainer() (engine, error) {
	return startContainer(imageOf(envKafkaImage, kafkaImage), "9092/tcp", func(addr string) map[string]string {
		settings := maps.Clone(kafkaSettings)
		settings["KAFKA_ADVERTISED_LISTENERS"] = "INTERNAL://localhost:19092,EXTERNAL://" + addr
		return settings
	})
}

func startServerContainer() (engine, error) {
	return startContainer(imageOf(envClickHouseImage, clickHouseImage), "9000/tcp", func(string) map[string]string {
		return map[string]string{"CLICKHOUSE_SKIP_USER_SETUP": "1"} // else the user without a password may not come from outside
	})
}

// image is the name of an image and the variable that can name another.
type image struct{ name, env string }

func imageOf(env, fallback string) image {
	if name := os.Getenv(env); name != "" {
		return image{name: name, env: env}
	}
	return image{name: fallback, env: env}
}

var (
	starts               sync.RWMutex // held for reading while a container starts
	startable, endStarts = context.WithCancel(context.Background())
	stopOnSignal         = sync.OnceFunc(func() {
		told := make(chan os.Signal, 1)
		signal.Notify(told, os.Interrupt, syscall.SIGTERM)
		go awaitStopSignal(told)
	})
)

// startContainer runs an image and publishes one of its ports. The environment is told the address that clients will use.
func startContainer(img image, port string, env func(addr string) map[string]string) (engine, error) {
	stopOnSignal()
	starts.RLock()
	defer starts.RUnlock()
	ctx, cancel := context.WithTimeout(startable, containerStartMax)
	defer cancel()
	host, err := dockerHost(ctx)
	if err != nil {
		return engine{}, err
	}
	at, err := publish(host)
	if err != nil {
		return engine{}, fmt.Errorf("find a free port: %w", err)
	}
	addr := net.JoinHostPort(host, at.HostPort)
	c, err := testcontainers.Run(ctx, img.name, testcontainers.WithExposedPorts(port), testcontainers.WithEnv(env(addr)),
		testcontainers.WithHostConfigModifier(func(h *container.HostConfig) {
			h.PortBindings = network.PortMap{network.MustParsePort(port): {at}}
		}),
		testcontainers.WithWaitStrategyAndDeadline(containerStartMax, wait.ForListeningPort(port).WithStartupTimeout(containerStartMax)))
	if err != nil {
		return engine{}, errors.Join(fmt.Errorf("run %s at %s (%s names another image, %s another host): %w", img.name, addr, img.env, envHost, err), terminate(c))
	}
	return keep(engine{addr: addr, close: func() error { return terminate(c) }}), nil
}

// checkDocker tells at once, and once for all tests, when the environment asks for containers and no Docker engine answers.
func checkDocker() error {
	if os.Getenv(envKafka) != "container" && os.Getenv(envClickHouse) != "container" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), answerMax)
	defer cancel()
	_, err := dockerHost(ctx)
	return err
}

// dockerHost is where the ports are that the Docker engine publishes.
func dockerHost(ctx context.Context) (string, error) {
	provider, err := testcontainers.NewDockerProvider()
	if err != nil {
		return "", fmt.Errorf(noDocker, err)
	}
	defer provider.Close()
	answer, err := provider.Client().Info(ctx, client.InfoOptions{})
	if err != nil {
		return "", fmt.Errorf(noDocker, err)
	}
	// The library asks a file whether it is inside a container, and then looks for ports at the gateway. Some machines have that file.
	name, err := os.Hostname()
	isHere := err == nil && name == answer.Info.Name && strings.HasPrefix(provider.Client().DaemonHost(), "unix:")
	if isHere && os.Getenv(envHost) == "" {
		if err := os.Setenv(envHost, loopback); err != nil {
			return "", err
		}
	}
	host, err := provider.DaemonHost(ctx)
	if err != nil {
		return "", fmt.Errorf("find the host of the Docker engine: %w", err)
	}
	if host == "localhost" {
		host = loopback
	}
	return host, nil
}

// publish chooses the outside of a port before the container starts, as Kafka has to tell clients its address. It is open on the
// loopback only, unless the engine is on another host.
func publish(host string) (network.PortBinding, error) {
	ln, err := net.Listen("tcp", net.JoinHostPort(loopback, "0"))
	if err != nil {
		return network.PortBinding{}, err
	}
	binding := network.PortBinding{HostPort: strconv.Itoa(ln.Addr().(*net.TCPAddr).Port)}
	if host == loopback {
		binding.HostIP = netip.MustParseAddr(host)
	}
	return binding, ln.Close()
}

// terminate removes a container and its volumes. A nil one, which a failed start leaves, is gone already.
func terminate(c *testcontainers.DockerContainer) error {
	ctx, cancel := context.WithTimeout(context.Background(), containerStopMax)
	defer cancel()
	if err := c.Terminate(ctx); err != nil {
		return fmt.Errorf("remove container %s: %w", c.GetContainerID(), err)
	}
	return nil
}

// awaitStopSignal removes the containers when the tests are interrupted: they would outlive the process, and the library's own
// reaper may be switched off with TESTCONTAINERS_RYUK_DISABLED.
func awaitStopSignal(told chan os.Signal) {
	s := <-told
	signal.Stop(told) // a second one ends at once
	fmt.Fprintf(os.Stderr, "%v: removing the containers of the tests\n", s)
	endStarts()
	starts.Lock()
	if err := stopEngines(); err != nil {
		fmt.Fprintf(os.Stderr, "stop what the tests shared: %v\n", err)
	}
	os.Exit(1)
}
