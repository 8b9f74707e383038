package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

var errClosed = errors.New("it was closed")

// Addr is the host:port of the native protocol.
func (c *ClickHouse) Addr() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return addrOf(c.ports.native)
}

// HTTPAddr is the host:port of the HTTP protocol.
func (c *ClickHouse) HTTPAddr() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return addrOf(c.ports.http)
}

// URL is the address of the HTTP protocol as a URL without a path.
func (c *ClickHouse) URL() string { return "http://" + c.HTTPAddr() }

// DataDir is where the server's data, configuration and logs are.
func (c *ClickHouse) DataDir() string { return c.cfg.DataDir }

// LogPath is the server's own log.
func (c *ClickHouse) LogPath() string { return filepath.Join(c.cfg.DataDir, "clickhouse.log") }

// Engine is what the server runs.
func (c *ClickHouse) Engine() Engine { return c.cfg.Engine }

func (c *ClickHouse) outputPath() string { return filepath.Join(c.cfg.DataDir, "output.log") }

// PID is the child's process id, 0 when no child was started. It leads a process group of its own.
func (c *ClickHouse) PID() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.process == nil {
		return 0
	}
	return c.process.pid
}

// Done closes when the present child ends, for whatever reason. After a Restart there is a new channel.
func (c *ClickHouse) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.process == nil {
		ended := make(chan struct{})
		close(ended)
		return ended
	}
	return c.process.done
}

// Kill ends the server as a crash would. Restart brings it back.
func (c *ClickHouse) Kill() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.end((*process).kill)
}

// Stop ends the server gracefully and keeps its ports and data for Restart.
func (c *ClickHouse) Stop() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.end(stopInTime)
}

// Restart starts the server again on the same ports and data, and ends it gracefully before if it still runs.
func (c *ClickHouse) Restart(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.isClosed {
		return fmt.Errorf("restart ClickHouse: %w", errClosed)
	}
	if err := c.end(stopInTime); err != nil {
		return fmt.Errorf("restart ClickHouse: %w", err)
	}
	if err := c.start(ctx, c.ports); err != nil {
		return fmt.Errorf("restart ClickHouse: %w", err)
	}
	return nil
}

// Close ends the server gracefully and gives its directory back. A second call does nothing.
func (c *ClickHouse) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.isClosed {
		return nil
	}
	c.isClosed = true
	err := c.end(stopInTime)
	c.client.CloseIdleConnections()
	err = errors.Join(err, c.lock.release())
	if c.temporary {
		err = errors.Join(err, os.RemoveAll(c.cfg.DataDir))
	}
	return err
}

func stopInTime(p *process) error { return p.stop(stopWaitMax) }

// end takes the process away and lets how end it. The caller holds mu.
func (c *ClickHouse) end(how func(*process) error) error {
	p := c.process
	if p == nil {
		return nil
	}
	c.process = nil
	c.client.CloseIdleConnections()
	if err := how(p); err != nil {
		return fmt.Errorf("end the ClickHouse child: %w", err)
	}
	return nil
}
