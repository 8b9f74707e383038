// Package clickhouse writes batches to ClickHouse. A batch comes in; keyed rows go out, large columnar blocks, one INSERT per table
// and partition, and a row in commits after all others, so that what it stands for is whole. Sending a batch again is harmless.
// It never decides anything, and reads back what it wrote only to make sure that it is there, or to start over from it.
package clickhouse

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seamline/seamline/schemas"
	"github.com/seamline/seamline/schemas/contact"
	"github.com/seamline/seamline/schemas/fault"
)

// Options are what a sink needs beside its settings.
type Options struct {
	PipelineID string
	Rules      string                // digest of the settings that results depend on, noted in commits
	Report     func(error)           // told at the start what is waited for, and nil when it is over; nil for nobody
	Log        *slog.Logger          // nil for none
	Registry   prometheus.Registerer // nil for none
	// Plain leaves out what makes a repeated INSERT exact: digests, tokens and verification. It is for measuring what they cost.
	Plain bool
	// Clear encrypts contact data for the table contacts_clear; nil leaves that empty.
	Clear *contact.Sealer
}

// Sink writes batches to ClickHouse.
type Sink struct {
	cfg      Config
	pipeline string
	isPlain  bool
	log      *slog.Logger
	pool     *pool
	metrics  *metrics
	clock    func() time.Time // for durations only

	tables  []table // all but commits, for their names; each plan has its own
	commits *commitTable
	plans   plans
	pending *pending // what the dictionaries hold
	state   *stateTable
	aside   *pool      // for questions and deletions
	writing sync.Mutex // held by Write, so that batches are written one after the other
}

// asideTimeoutMin is the least time that questions and deletions beside the batches get.
const asideTimeoutMin = time.Hour

// newPools gives the connections for batches, those for copies of the state, and those for what else goes on.
func newPools(cfg Config) (batches, state, aside *pool, err error) {
	if batches, err = newPool(cfg); err != nil {
		return nil, nil, nil, err
	}
	cfg.Connections = 1
	if state, err = newPool(cfg); err != nil {
		return nil, nil, nil, err
	}
	cfg.WriteTimeout = max(cfg.WriteTimeout, asideTimeoutMin)
	aside, err = newPool(cfg)
	return batches, state, aside, err
}

// Waits of Open.
const (
	openWaitMin = 100 * time.Millisecond
	openWaitMax = 10 * time.Second
)

// Open waits until a server answers, migrates its database, and gives a sink. It reports what it waits for until ctx ends, and
// fails at once where waiting does not help: wrong credentials, a foreign certificate, a database of a newer build.
func Open(ctx context.Context, cfg Config, opt Options) (*Sink, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if strings.TrimSpace(opt.PipelineID) == "" || strings.Contains(opt.PipelineID, "/") {
		return nil, fmt.Errorf("pipeline.id %q is empty or has a slash", opt.PipelineID)
	}
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		return nil, errors.New("this machine is big endian, and ClickHouse's blocks are not")
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if opt.Report == nil {
		opt.Report = func(error) {}
	}
	pool, state, aside, err := newPools(cfg)
	if err != nil {
		return nil, err
	}
	isJSON, err := prepare(ctx, cfg, opt)
	if err != nil {
		return nil, err
	}
	s := &Sink{cfg: cfg, pipeline: opt.PipelineID, isPlain: opt.Plain, log: opt.Log, pool: pool, clock: time.Now, tables: allTables(cfg.Database, isJSON, opt.Clear),
		commits: newCommitTable(cfg.Database, opt), state: newStateTable(cfg.Database, state), aside: aside}
	s.pending = newPending(cfg, pool, &s.writing)
	s.plans.make = func() *plan {
		p := &plan{tables: allTables(cfg.Database, isJSON, opt.Clear), commits: newCommitTable(cfg.Database, opt), spare: newHalves(cfg.Database, isJSON)}
		if opt.Plain {
			p.makePlain()
		}
		return p
	}
	s.metrics = newMetrics(opt.Registry, slices.Sorted(maps.Keys(keys)))
	return s, nil
}

func allTables(database string, isJSON bool, clear *contact.Sealer) []table {
	// Those with the most rows first, so that they do not wait for a connection.
	return []table{&eventTable{database: database, isJSON: isJSON}, newProfileTable(database), newIdentifierTable(database),
		newOrderLineTable(database), newIdentityLogTable(database), newDeadLetterTable(database), newMemberTable(database),
		newChangeTable(database), newAudienceTable(database), newAliasTable(database), newAttributionTable(database), newModelTable(database), newSessionAliasTable(database),
		newAccountTable(database), newJourneyTable(database), newCatalogTable(database), newStockTable(database), newConsentTable(database), newAnswerTable(database), newContactTable(database), newClearTable(database, clear)}
}

// prepare migrates, however long that has to wait for a server, and tells whether events.properties has the JSON type.
func prepare(ctx context.Context, cfg Config, opt Options) (isJSON bool, err error) {
	for wait := openWaitMin; ; wait = min(2*wait, openWaitMax) {
		if err = Migrate(ctx, cfg, opt.Log); err == nil {
			isJSON, err = propertiesAreJSON(ctx, cfg, opt.Log)
		}
		if err == nil {
			opt.Report(nil)
			return isJSON, nil
		}
		if ctx.Err() != nil {
			return false, fmt.Errorf("wait for ClickHouse at %s: %w", cfg.Addr, errors.Join(context.Cause(ctx), err))
		}
		if !mayPass(err) {
			return false, err
		}
		opt.Report(fmt.Errorf("waiting for ClickHouse at %s: %w", cfg.Addr, err))
		opt.Log.Warn("clickhouse does not answer, waiting to try again", "addr", cfg.Addr, "wait_ms", wait.Milliseconds(), "err", err)
		select {
		case <-time.After(wait + rand.N(wait/2)):
		case <-ctx.Done():
		}
	}
}

// Name is the sink's stable name.
func (s *Sink) Name() string { return "clickhouse" }

// Write makes a batch durable in every table, and what it says about aliases and leaves known to the dictionaries. Its row in commits is written last. It sends
// what Plan gave for the batch, and plans by itself where Plan was not called.
func (s *Sink) Write(ctx context.Context, b *schemas.Batch) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	p := s.plans.take(b)
	if p == nil {
		p = s.plans.place(b)
		p.fill(b)
	}
	err := s.write(ctx, b, p)
	if err != nil {
		s.plans.release(p, b)
		return err
	}
	s.plans.release(p, nil)
	return nil
}

func (s *Sink) write(ctx context.Context, b *schemas.Batch, p *plan) error {
	if err := s.pending.begin(ctx, b.Number); err != nil {
		return err
	}
	var tables sync.WaitGroup
	failed := make([]error, len(p.blocks))
	for i, blocks := range p.blocks {
		tables.Go(func() { failed[i] = s.insertAll(ctx, blocks, b.Number) })
	}
	tables.Wait()
	if err := errors.Join(failed...); err != nil {
		return err
	}
	if err := s.pending.reloadChanged(ctx, b); err != nil {
		return err
	}
	fault.At(fault.PointTables)
	return s.insertAll(ctx, p.commits.fill(b), b.Number) // again, for what was measured since
}

// insertAll writes the blocks of one table side by side.
func (s *Sink) insertAll(ctx context.Context, blocks []*block, batch uint64) error {
	if len(blocks) == 1 {
		return s.insert(ctx, blocks[0], batch)
	}
	var partitions sync.WaitGroup
	failed := make([]error, len(blocks))
	for i, b := range blocks {
		partitions.Go(func() { failed[i] = s.insert(ctx, b, batch) })
	}
	partitions.Wait()
	return errors.Join(failed...)
}

// Close ends the connections, after what is being written.
func (s *Sink) Close() error {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.pool.close()
	s.state.pool.close()
	s.aside.close()
	return nil
}
