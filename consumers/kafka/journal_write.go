package kafka

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seamline/seamline/schemas"
	"github.com/seamline/seamline/schemas/fault"
)

// enlist makes a producer that bars all earlier ones.
func (j *Journal) enlist(ctx context.Context) error {
	opts, err := j.cfg.Options()
	if err != nil {
		return err
	}
	opts = append(opts, kgo.RequiredAcks(kgo.AllISRAcks()), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0),
		kgo.RecordDeliveryTimeout(transactionTimeout/2))
	if !fault.Off(fault.Fence) {
		opts = append(opts, kgo.TransactionalID(j.cfg.Intents+"/"+j.opt.Key), kgo.TransactionTimeout(transactionTimeout))
	}
	producer, err := kgo.NewClient(opts...)
	if err != nil {
		return fmt.Errorf("connect to Kafka: %w", err)
	}
	if _, _, err := producer.ProducerID(ctx); err != nil {
		producer.Close()
		return fmt.Errorf("start a transactional producer (the brokers must allow transactions, and the user the transactional id %s): %w",
			j.cfg.Intents+"/"+j.opt.Key, err)
	}
	if j.producer != nil {
		j.producer.Close()
	}
	j.producer = producer
	return nil
}

// append writes one entry, of which it gives the offset, and returns when no later leader can miss it.
func (j *Journal) append(ctx context.Context, kind string, value []byte) (int64, error) {
	if value == nil {
		var err error
		if value, err = json.Marshal(note{Done: j.facts.finished()}); err != nil {
			return 0, err
		}
	}
	r := &kgo.Record{Topic: j.cfg.Intents, Key: []byte(j.opt.Key), Value: value, Headers: []kgo.RecordHeader{
		{Key: "kind", Value: []byte(kind)}, {Key: "instance", Value: []byte(j.opt.Instance)}, {Key: "process", Value: []byte(j.process)}}}
	ctx, cancel := context.WithTimeout(ctx, appendWaitMax)
	defer cancel()
	if err := j.produce(ctx, r); err != nil {
		return 0, fmt.Errorf("write the journal: %w", err)
	}
	j.written = j.opt.Now()
	return r.Offset, nil
}

// produce writes one record in a transaction of its own. The library waits for the outcome of a record that may be on its way, however
// long: beyond ctx the producer is given up instead, and the next one bars it.
func (j *Journal) produce(ctx context.Context, r *kgo.Record) error {
	transactional := !fault.Off(fault.Fence)
	if transactional {
		if err := j.producer.BeginTransaction(); err != nil {
			return err
		}
	}
	done := make(chan error, 1)
	j.producer.Produce(ctx, r, func(_ *kgo.Record, err error) { done <- err })
	select {
	case err := <-done:
		if err != nil || !transactional {
			return err
		}
	case <-ctx.Done():
		j.producer.Close()
		return ctx.Err()
	}
	return j.producer.EndTransaction(ctx, kgo.TryCommit)
}

// Write makes an intent durable. It fails with ErrFenced where another instance has taken over; other failures it sits out.
func (j *Journal) Write(ctx context.Context, i *schemas.Intent) error {
	value, err := i.Encode()
	if err != nil {
		return err
	}
	if err := j.mu.LockWithin(ctx); err != nil {
		return err
	}
	defer j.mu.Unlock()
	return j.insist(ctx, func() error {
		if j.mine >= i.Batch {
			return nil // the attempt before was in fact successful
		}
		offset, err := j.append(ctx, entryIntent, value)
		if err != nil {
			return err
		}
		j.newest, j.mine = i.Batch, i.Batch
		j.facts.mark(i.Batch, offset)
		return nil
	})
}

// insist tries until it succeeds, each time after making sure that this process still leads.
func (j *Journal) insist(ctx context.Context, try func() error) error {
	var err error
	if j.opt.Now().Sub(j.written) < j.cfg.TakeoverAfter/2 {
		if err = try(); err == nil || ctx.Err() != nil {
			return err
		}
	} else {
		err = errors.New("this process was held up")
	}
	j.opt.Log.Warn("the journal could not be written; looking whether this instance still leads", "err", err)
	return j.cfg.outlast(ctx, j.opt.Report, j.opt.Log, func() error {
		// A look first, so that a leader that was replaced does not bar its successor for nothing.
		if err := j.stillLeads(ctx); err != nil {
			return err
		}
		if err := j.enlist(ctx); err != nil {
			return err
		}
		if err := j.stillLeads(ctx); err != nil {
			return err
		}
		return try()
	})
}

// stillLeads reads to the end of the log, and fails with ErrFenced where another process has written there since.
func (j *Journal) stillLeads(ctx context.Context) error {
	end, err := j.end(ctx)
	if err == nil {
		err = j.readUpTo(ctx, end, false)
	}
	if err == nil && j.last != j.process && !fault.Off(fault.Fence) {
		err = fmt.Errorf("%w: %s", ErrFenced, j.leader)
	}
	return err
}

// Finished says that all sinks have a batch.
func (j *Journal) Finished(batch uint64) { j.facts.finish(batch) }

// Offset gives where to begin reading for what comes after a batch; 0 where that is not known any more.
func (j *Journal) Offset(batch uint64) int64 { return j.facts.offset(batch) }

// beat gives signs of life while there is nothing else to write.
func (j *Journal) beat(ctx context.Context) {
	every := j.cfg.TakeoverAfter / beatsPerTakeover
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		j.mu.Lock()
		if j.opt.Now().Sub(j.written) >= every {
			err := j.insist(ctx, func() error { _, err := j.append(ctx, entryBeat, nil); return err })
			if errors.Is(err, ErrFenced) {
				j.mu.Unlock()
				j.opt.Lost(err)
				return
			}
		}
		j.mu.Unlock()
	}
}
