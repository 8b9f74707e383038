package clickhouse

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/ClickHouse/ch-go"
)

// readTick is how often a waiting read looks whether it was cancelled.
const readTick = time.Second

// pool is a few connections, all to the same host as long as it answers.
type pool struct {
	cfg         Config
	tls         *tls.Config
	compression ch.Compression
	hosts       []string
	host        atomic.Int64     // index of the host that answered last
	lanes       chan *connection // the ones that nobody uses
}

// connection is a place for a client; the client is nil until it is needed, and after an error.
type connection struct{ client *ch.Client }

func newPool(cfg Config) (*pool, error) {
	tls, err := cfg.tls()
	if err != nil {
		return nil, err
	}
	compression, err := cfg.compression()
	if err != nil {
		return nil, err
	}
	p := &pool{cfg: cfg, tls: tls, compression: compression, hosts: cfg.hosts(), lanes: make(chan *connection, cfg.Connections)}
	for range cfg.Connections {
		p.lanes <- &connection{}
	}
	return p, nil
}

// do runs a query on a connection of its own. A connection that broke while nobody used it is replaced once; query is called
// anew for each try.
func (p *pool) do(ctx context.Context, query func() ch.Query) error {
	var c *connection
	select {
	case c = <-p.lanes:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { p.lanes <- c }()
	ctx, cancel := context.WithTimeoutCause(ctx, p.cfg.WriteTimeout, fmt.Errorf("no answer within %s", p.cfg.WriteTimeout))
	defer cancel()
	for {
		isUsed := c.client != nil && !c.client.IsClosed()
		if !isUsed {
			if err := p.connect(ctx, c); err != nil {
				return err
			}
		}
		host := p.host.Load()
		err := c.client.Do(ctx, query())
		if err == nil {
			return nil
		}
		c.close()
		if ctx.Err() != nil {
			return errors.Join(context.Cause(ctx), err)
		}
		if _, answered := answer(err); answered {
			return err
		}
		if !isUsed {
			// The host took the connection and then failed: the next try begins with another.
			p.host.CompareAndSwap(host, (host+1)%int64(len(p.hosts)))
			return err
		}
	}
}

// connect dials the hosts in turn, beginning with the one that answered last.
func (p *pool) connect(ctx context.Context, c *connection) error {
	first := p.host.Load()
	var failed error
	for i := range int64(len(p.hosts)) {
		at := (first + i) % int64(len(p.hosts))
		client, err := p.dial(ctx, p.hosts[at])
		if err == nil {
			p.host.CompareAndSwap(first, at)
			c.client = client
			return nil
		}
		failed = errors.Join(failed, fmt.Errorf("connect to %s: %w", p.hosts[at], err))
	}
	return failed
}

func (p *pool) dial(ctx context.Context, host string) (*ch.Client, error) {
	ctx, cancel := context.WithTimeout(ctx, p.cfg.DialTimeout)
	defer cancel()
	return ch.Dial(ctx, ch.Options{
		Address: host, Database: anyDatabase, User: p.cfg.User, Password: p.cfg.Password, Compression: p.compression,
		ClientName: "seamline", ReadTimeout: readTick, DialTimeout: p.cfg.DialTimeout, HandshakeTimeout: p.cfg.DialTimeout,
		Dialer: &net.Dialer{Timeout: p.cfg.DialTimeout}, TLS: p.tls,
	})
}

func (c *connection) close() {
	if c.client != nil && !c.client.IsClosed() {
		c.client.Close() // its outcome is known already, or does not matter
	}
	c.client = nil
}

// close waits for the connections in use and ends all.
func (p *pool) close() {
	for range cap(p.lanes) {
		(<-p.lanes).close()
	}
}
