package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

const (
	startWaitMax     = 60 * time.Second // a first touch of the library on a slow disk, or many parts to load
	stopWaitMax      = 10 * time.Second
	readyEvery       = 20 * time.Millisecond
	outputBytesMax   = 8 << 10 // of a child's last words in an error
	answerBytesMax   = 64 << 20
	requestWaitMax   = 5 * time.Second // of one readiness request
	messageLinesMax  = 6
	busyPortMessage  = "Address already in use"
	lockedDirMessage = "Another server instance in same directory"
)

// ClickHouseConfig describes one embedded ClickHouse.
type ClickHouseConfig struct {
	DataDir        string       // empty uses a temporary directory that Close removes
	Port           int          // native protocol; 0 takes a free port
	HTTPPort       int          // 0 takes a free port
	MemoryMaxBytes int64        // ClickHouse's own limit; 0 leaves its default, 90 % of the machine
	Fsync          bool         // inserts and merges are synced to disk; without it a power loss may take the last seconds, a crash takes nothing
	Engine         Engine       // empty asks EnsureClickHouse
	Progress       io.Writer    // download and start messages; nil for none
	Log            *slog.Logger // nil for none
}

// ClickHouse is a ClickHouse server in a child process. The user is `default` without a password.
type ClickHouse struct {
	cfg       ClickHouseConfig // with the directory and the engine filled in
	temporary bool
	lock      *dirLock
	client    *http.Client
	log       *slog.Logger

	mu       sync.Mutex // guards the following
	ports    ports
	process  *process // nil when stopped
	isClosed bool
}

// StartClickHouse starts a server and returns when it answers. The context covers the start only.
func StartClickHouse(ctx context.Context, cfg ClickHouseConfig) (*ClickHouse, error) {
	if !mainCalled.Load() {
		return nil, errNoMain
	}
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("start ClickHouse: %w", err)
	}
	if cfg.Engine.Path == "" {
		engine, err := EnsureClickHouse(ctx, cfg.Progress)
		if err != nil {
			return nil, err
		}
		cfg.Engine = engine
	}
	c, err := prepare(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("start ClickHouse: %w", err)
	}
	c.mu.Lock()
	err = c.start(ctx, ports{native: cfg.Port, http: cfg.HTTPPort})
	c.mu.Unlock()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start ClickHouse: %w", err), c.Close())
	}
	return c, nil
}

func (c ClickHouseConfig) validate() error {
	for _, port := range []int{c.Port, c.HTTPPort} {
		if port < 0 || port > portMax {
			return fmt.Errorf("port %d is not between 0 and %d", port, portMax)
		}
	}
	if c.Port != 0 && c.Port == c.HTTPPort {
		return fmt.Errorf("port %d is given for both protocols", c.Port)
	}
	if c.MemoryMaxBytes < 0 {
		return fmt.Errorf("memory limit %d is negative", c.MemoryMaxBytes)
	}
	return nil
}

// prepare makes the directory ours.
func prepare(ctx context.Context, cfg ClickHouseConfig) (*ClickHouse, error) {
	c := &ClickHouse{
		cfg: cfg, temporary: cfg.DataDir == "", log: orDiscard(cfg.Log),
		client: &http.Client{Transport: &http.Transport{Proxy: nil}},
	}
	var err error
	if c.temporary {
		c.cfg.DataDir, err = os.MkdirTemp("", "seamline-clickhouse-")
	} else {
		c.cfg.DataDir, err = filepath.Abs(cfg.DataDir)
	}
	if err != nil {
		return nil, fmt.Errorf("find data directory: %w", err)
	}
	if c.lock, err = lockDir(ctx, c.cfg.DataDir); err != nil && c.temporary {
		err = errors.Join(err, os.RemoveAll(c.cfg.DataDir))
	}
	return c, err
}

// start runs the child on the wanted ports. Where free ones were asked for, and another process took one between our choice
// and the child's, it tries others. The caller holds mu.
func (c *ClickHouse) start(ctx context.Context, want ports) error {
	ctx, cancel := context.WithTimeout(ctx, startWaitMax)
	defer cancel()
	began := time.Now()
	for attempt := 1; ; attempt++ {
		chosen, err := want.choose()
		if err != nil {
			return err
		}
		err = c.startOn(ctx, chosen)
		if err == nil {
			c.ports = chosen
			c.log.Info("clickhouse is ready", "addr", addrOf(chosen.native), "pid", c.process.pid, "took_ms", time.Since(began).Milliseconds())
			return nil
		}
		isFree := want.native == 0 || want.http == 0
		if !isFree || attempt == portAttemptsMax || !strings.Contains(err.Error(), busyPortMessage) {
			return err
		}
		c.log.Warn("a free port was taken, trying others", "err", err)
	}
}

func (c *ClickHouse) startOn(ctx context.Context, at ports) error {
	args, err := c.writeConfig(at)
	if err != nil {
		return err
	}
	output, err := os.Create(c.outputPath())
	if err != nil {
		return fmt.Errorf("create output file: %w", err)
	}
	defer output.Close()
	p, err := startProcess(childSpec{Engine: c.cfg.Engine, Args: args}, c.lock.file, output)
	if err != nil {
		return err
	}
	if err := c.awaitReady(ctx, p, at); err != nil {
		return errors.Join(err, p.kill())
	}
	c.process = p
	return nil
}

// awaitReady returns when HTTP answers a query and the native port accepts.
func (c *ClickHouse) awaitReady(ctx context.Context, p *process, at ports) error {
	tick := time.NewTicker(readyEvery)
	defer tick.Stop()
	for {
		if err := c.probe(ctx, at); err == nil && !p.ended() {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("the server ended at its start (%s): %w", c.lastWords(), exitOf(p.err))
		case <-ctx.Done():
			return fmt.Errorf("the server did not answer (%s; its log is %s): %w", c.lastWords(), c.LogPath(), ctx.Err())
		case <-tick.C:
		}
	}
}

func (c *ClickHouse) probe(ctx context.Context, at ports) error {
	ctx, cancel := context.WithTimeout(ctx, requestWaitMax)
	defer cancel()
	if answer, err := c.post(ctx, at, "SELECT 1"); err != nil || strings.TrimSpace(answer) != "1" {
		return errors.Join(errors.New("no answer over HTTP"), err)
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addrOf(at.native))
	if err != nil {
		return err
	}
	return conn.Close()
}

func exitOf(err error) error {
	if err == nil {
		return errors.New("exit status 0")
	}
	return err
}

// lastWords is the end of what the child printed.
func (c *ClickHouse) lastWords() string {
	text, err := os.ReadFile(c.outputPath())
	if err != nil {
		return "its output cannot be read: " + err.Error()
	}
	words := lastLines(text[max(0, len(text)-outputBytesMax):], messageLinesMax)
	if strings.Contains(words, lockedDirMessage) {
		return "data directory " + c.cfg.DataDir + " is in use by another ClickHouse: " + words
	}
	if words == "" {
		return "it printed nothing"
	}
	return words
}

// Query runs one statement over HTTP and returns the answer's text.
func (c *ClickHouse) Query(ctx context.Context, statement string) (string, error) {
	c.mu.Lock()
	at := c.ports
	c.mu.Unlock()
	return c.post(ctx, at, statement)
}

func (c *ClickHouse) post(ctx context.Context, at ports, statement string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+addrOf(at.http)+"/", strings.NewReader(statement))
	if err != nil {
		return "", fmt.Errorf("query ClickHouse: %w", err)
	}
	resp, err := c.client.Do(req)
	if err != nil {
		return "", fmt.Errorf("query ClickHouse: %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, answerBytesMax+1))
	if err != nil {
		return "", fmt.Errorf("query ClickHouse: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("query ClickHouse: %s", strings.TrimSpace(string(body)))
	}
	if len(body) > answerBytesMax {
		return "", fmt.Errorf("query ClickHouse: the answer is longer than %d bytes", answerBytesMax)
	}
	return string(body), nil
}
