package local

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// apacheVersion is the Apache Kafka that apache.pom.xml names.
const apacheVersion = "4.1.0"

//go:embed apache.pom.xml
var apachePom []byte

// Times of a real broker.
const (
	apacheStartMax = 60 * time.Second
	apacheStopMax  = 15 * time.Second
)

// ApacheKafka is a real Apache Kafka broker, one node in KRaft mode, for the tests that matter.
type ApacheKafka struct {
	addr string
	cmd  *exec.Cmd
	done chan struct{}
	log  string
}

// StartApacheKafka fetches Apache Kafka's jars from Maven Central with Maven unless they are cached, formats dataDir, and starts
// the broker on a free loopback port. It needs a JRE of version 17 or later.
func StartApacheKafka(ctx context.Context, dataDir string, progress io.Writer) (*ApacheKafka, error) {
	java, err := exec.LookPath("java")
	if err != nil {
		return nil, errors.New("a JRE of version 17 or later is needed for Apache Kafka, and there is no java on the PATH: install one, such as Debian's openjdk-17-jre-headless")
	}
	libs, err := ensureApacheJars(ctx, newProgress(progress))
	if err != nil {
		return nil, err
	}
	at, err := (ports{}).choose()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dataDir, 0o755); err != nil {
		return nil, fmt.Errorf("create data directory: %w", err)
	}
	config := filepath.Join(dataDir, "server.properties")
	if err := os.WriteFile(config, apacheConfig(at, filepath.Join(dataDir, "log")), 0o644); err != nil {
		return nil, fmt.Errorf("write the broker's settings: %w", err)
	}
	classpath := filepath.Join(libs, "*")
	format := exec.CommandContext(ctx, java, "-cp", classpath, "kafka.tools.StorageTool", "format", "--standalone", "--ignore-formatted",
		"-t", "c2VhbWxpbmUtdGVzdC0wMQ", "-c", config)
	if out, err := format.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("format the broker's directory: %w: %s", err, bytes.TrimSpace(out))
	}
	k := &ApacheKafka{addr: addrOf(at.native), done: make(chan struct{}), log: filepath.Join(dataDir, "kafka.log"),
		cmd: exec.Command(java, "-Xms256m", "-Xmx768m", "-cp", classpath, "kafka.Kafka", config)}
	return k, k.start(ctx)
}

// ensureApacheJars gives the directory of the jars. Maven checks their checksums.
func ensureApacheJars(ctx context.Context, progress *progress) (string, error) {
	root, err := cacheRoot()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(root, "apache-kafka", apacheVersion)
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return "", fmt.Errorf("create cache directory: %w", err)
	}
	lock, err := lockFile(ctx, dir+".lock", nil)
	if err != nil {
		return "", err
	}
	defer lock.release()
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	mvn, err := exec.LookPath("mvn")
	if err != nil {
		return "", errors.New("the jars of Apache Kafka are fetched from Maven Central with Maven, and there is no mvn on the PATH: install Maven, such as Debian's maven")
	}
	work, err := os.MkdirTemp(filepath.Dir(dir), "fetch-")
	if err != nil {
		return "", fmt.Errorf("create cache directory: %w", err)
	}
	defer os.RemoveAll(work)
	if err := os.WriteFile(filepath.Join(work, "pom.xml"), apachePom, 0o644); err != nil {
		return "", fmt.Errorf("write pom.xml: %w", err)
	}
	progress.say("downloading Apache Kafka %s from Maven Central (45 MB)", apacheVersion)
	fetch := exec.CommandContext(ctx, mvn, "-q", "-B", "dependency:copy-dependencies", "-DincludeScope=runtime", "-DoutputDirectory="+filepath.Join(work, "libs"))
	fetch.Dir = work
	if out, err := fetch.CombinedOutput(); err != nil {
		return "", fmt.Errorf("fetch Apache Kafka with Maven: %w: %s", err, bytes.TrimSpace(out))
	}
	return dir, os.Rename(filepath.Join(work, "libs"), dir)
}

func apacheConfig(at ports, logDir string) []byte {
	broker, controller := addrOf(at.native), addrOf(at.http)
	return []byte(strings.Join([]string{
		"process.roles=broker,controller", "node.id=1", "controller.listener.names=CONTROLLER",
		"listeners=PLAINTEXT://" + broker + ",CONTROLLER://" + controller,
		"advertised.listeners=PLAINTEXT://" + broker,
		"controller.quorum.bootstrap.servers=" + controller,
		"listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
		"log.dirs=" + logDir,
		"log.retention.ms=-1", // records of long ago are kept
		"offsets.topic.replication.factor=1", "offsets.topic.num.partitions=1",
		"transaction.state.log.replication.factor=1", "transaction.state.log.min.isr=1", "transaction.state.log.num.partitions=1",
		"share.coordinator.state.topic.replication.factor=1", "share.coordinator.state.topic.min.isr=1",
		"group.initial.rebalance.delay.ms=0", "auto.create.topics.enable=false",
		"message.max.bytes=16777216", "replica.fetch.max.bytes=16777216", "",
	}, "\n"))
}

func (k *ApacheKafka) start(ctx context.Context) error {
	output, err := os.Create(k.log)
	if err != nil {
		return fmt.Errorf("create the broker's log: %w", err)
	}
	defer output.Close()
	k.cmd.Stdout, k.cmd.Stderr = output, output
	k.cmd.SysProcAttr = endWithParent(&syscall.SysProcAttr{Setpgid: true})
	started := make(chan error, 1)
	go func() {
		defer close(k.done)
		_ = waitOnOwnThread(k.cmd, started) // how it ended stands in its log
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("start Apache Kafka: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, apacheStartMax)
	defer cancel()
	for {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", k.addr)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-k.done:
			return fmt.Errorf("the Apache Kafka broker ended at its start; see %s", k.log)
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("the Apache Kafka broker did not answer at %s; see %s", k.addr, k.log), k.Close())
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// Addr is the broker's address.
func (k *ApacheKafka) Addr() string { return k.addr }

// Close stops the broker and waits for its end.
func (k *ApacheKafka) Close() error {
	select {
	case <-k.done:
		return nil
	default:
	}
	if err := k.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop Apache Kafka: %w", err)
	}
	select {
	case <-k.done:
		return nil
	case <-time.After(apacheStopMax):
	}
	if err := k.cmd.Process.Kill(); err != nil {
		return fmt.Errorf("kill Apache Kafka: %w", err)
	}
	<-k.done
	return nil
}
