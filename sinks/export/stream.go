package export

import (
	"context"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"

	"github.com/seamline/seamline/schemas"
)

// reading are settings of queries whose results may be larger than memory.
var reading = []ch.Setting{{Key: "max_bytes_before_external_sort", Value: "1073741824"}, {Key: "max_bytes_before_external_group_by", Value: "1073741824"},
	{Key: "max_block_size", Value: "16384"},
	{Key: "optimize_functions_to_subcolumns", Value: "0"}} // rights are granted on columns, and not on parts of them

// stream is the rows of one query, a block at a time: the query stands still while a block is used, so that memory does not grow.
type stream struct {
	blocks chan int      // rows of a block that is in the columns
	used   chan struct{} // the block may be overwritten
	done   chan error    // how the query ended
	rows   int
	row    int
	isOpen bool // a block is in use
}

// start runs a query on a connection of its own, which ends with the stream. The columns of result are valid until next gives false.
func start(ctx context.Context, dial Dial, sql string, result proto.Results) *stream {
	s := &stream{blocks: make(chan int), used: make(chan struct{}), done: make(chan error, 1), row: -1}
	go func() {
		defer close(s.blocks)
		s.done <- s.run(ctx, dial, sql, result)
	}()
	return s
}

func (s *stream) run(ctx context.Context, dial Dial, sql string, result proto.Results) error {
	client, err := dial(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	return client.Do(ctx, ch.Query{Body: sql, Settings: reading, Result: result, OnResult: func(ctx context.Context, block proto.Block) error {
		if block.Rows == 0 {
			return nil
		}
		select {
		case s.blocks <- block.Rows:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		select {
		case <-s.used:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}})
}

// first waits until the server has begun to answer: what the query reads stands fast from then on.
func (s *stream) first(ctx context.Context) error {
	if s.isOpen {
		return nil
	}
	select {
	case rows, ok := <-s.blocks:
		if !ok {
			return nil // next tells
		}
		s.rows, s.row, s.isOpen = rows, -1, true
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// next moves to the next row, and gives false at the end and after an error.
func (s *stream) next(ctx context.Context) (bool, error) {
	if s.isOpen && s.row+1 < s.rows {
		s.row++
		return true, nil
	}
	if s.isOpen {
		s.isOpen = false
		select {
		case s.used <- struct{}{}:
		case <-ctx.Done():
			return false, context.Cause(ctx)
		}
	}
	if err := s.first(ctx); err != nil {
		return false, err
	}
	if s.isOpen {
		s.row = 0
		return true, nil
	}
	if s.done == nil {
		return false, nil
	}
	err := <-s.done
	s.done = nil
	return false, err
}

// wait returns once the query has ended, which needs a context that has ended where not all was read.
func (s *stream) wait() {
	for range s.blocks {
	}
	if s.done != nil {
		<-s.done
	}
}

// before is the order of people in every stream and file: that of ClickHouse, which compares the second half of a UUID first.
func before(a, b schemas.ProfileID) bool {
	if x, y := string(a[8:]), string(b[8:]); x != y {
		return x < y
	}
	return string(a[:8]) < string(b[:8])
}

// each runs a query and calls f for every row.
func each(ctx context.Context, dial Dial, sql string, result proto.Results, f func(row int) error) error {
	client, err := dial(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	return eachOn(ctx, client, sql, result, f)
}

func eachOn(ctx context.Context, client *ch.Client, sql string, result proto.Results, f func(row int) error) error {
	return eachBy(ctx, client, ch.Query{Body: sql, Settings: reading, Result: result}, f)
}

// glance are settings of questions that a few rows answer: one thread is there sooner than several.
var glance = []ch.Setting{{Key: "max_threads", Value: "1"}}

func eachBy(ctx context.Context, client *ch.Client, query ch.Query, f func(row int) error) error {
	query.OnResult = func(_ context.Context, block proto.Block) error {
		for row := range block.Rows {
			if err := f(row); err != nil {
				return err
			}
		}
		return nil
	}
	return client.Do(ctx, query)
}

// one gives the only number of a query.
func one(ctx context.Context, dial Dial, sql string) (uint64, error) {
	var n proto.ColUInt64
	found := uint64(0)
	err := each(ctx, dial, sql, proto.Results{{Name: "n", Data: &n}}, func(row int) error {
		found = n.Row(row)
		return nil
	})
	return found, err
}
