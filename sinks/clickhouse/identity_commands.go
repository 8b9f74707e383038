package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"

	"github.com/seamline/seamline/schemas"
)

// TakenBack counts the profile ids among these that were aliases once and are none any more.
func (r *IdentityReader) TakenBack(ctx context.Context, ids []schemas.ProfileID) (n uint64, err error) {
	err = r.sumOver(ctx, "SELECT count() FROM {database}.profile_aliases FINAL WHERE alias_id = profile_id AND alias_id IN (%s)", ids, &n)
	return n, err
}

// EventsOf counts the events of profiles, as the profiles themselves do.
func (r *IdentityReader) EventsOf(ctx context.Context, ids []schemas.ProfileID) (n uint64, err error) {
	err = r.sumOver(ctx, "SELECT toUInt64(sum(events)) FROM {database}.profiles FINAL WHERE profile_id IN (%s)", ids, &n)
	return n, err
}

func (r *IdentityReader) sumOver(ctx context.Context, query string, ids []schemas.ProfileID, n *uint64) error {
	for some := range slices.Chunk(ids, idsMax) {
		texts := make([]string, len(some))
		for i, id := range some {
			texts[i] = "'" + id.String() + "'"
		}
		err := r.each(ctx, fmt.Sprintf(query, strings.Join(texts, ",")), func(scan func(...any) error) error {
			var part uint64
			err := scan(&part)
			*n += part
			return err
		})
		if err != nil {
			return fmt.Errorf("count over profiles: %w", err)
		}
	}
	return nil
}

// CommandPlace is where a command stands in its topic.
type CommandPlace struct {
	Topic     string
	Partition int32
	Offset    int64
}

// CommandProgress is how far a pipeline is with a command.
type CommandProgress struct {
	Newest uint64 // the newest batch whose rows are all there
	Batch  uint64 // the batch that the command is in; 0 while it was not processed
}

// Progress tells how far a pipeline is with a command that was given when its newest batch was after.
func (r *IdentityReader) Progress(ctx context.Context, pipeline string, after uint64, at CommandPlace) (p CommandProgress, err error) {
	err = r.each(ctx, `SELECT max(batch), maxIf(batch, NOT rewind AND arrayExists((t, p, f, u) -> t = ? AND p = ? AND f <= ? AND u > ?, topics, partitions, offsets_from, offsets_to))
		FROM {database}.commits WHERE pipeline = ? AND batch > ?`, func(scan func(...any) error) error {
		return scan(&p.Newest, &p.Batch)
	}, at.Topic, at.Partition, at.Offset, at.Offset, pipeline, after)
	if err != nil {
		return p, fmt.Errorf("read commits: %w", err)
	}
	p.Newest = max(p.Newest, after)
	return p, nil
}

// Newest gives a pipeline's newest batch and the newest position of the identity log; 0 where there is none.
func (r *IdentityReader) Newest(ctx context.Context, pipeline string) (batch, position uint64, err error) {
	err = r.each(ctx, "SELECT (SELECT max(batch) FROM {database}.commits WHERE pipeline = ?), (SELECT max(position) FROM {database}.identity_log)",
		func(scan func(...any) error) error {
			var b, p *uint64
			err := scan(&b, &p)
			if b != nil && p != nil {
				batch, position = *b, *p
			}
			return err
		}, pipeline)
	if err != nil {
		return 0, 0, fmt.Errorf("read how far the tables are: %w", err)
	}
	return batch, position, nil
}

// ErrCommandRefused says that a command became a dead letter.
var ErrCommandRefused = errors.New("the command was refused")

// Refused gives an error that says why a command became a dead letter, where it did.
func (r *IdentityReader) Refused(ctx context.Context, at CommandPlace) error {
	var refused error
	err := r.each(ctx, "SELECT toString(reason), detail FROM {database}.dead_letters FINAL WHERE topic = ? AND partition = ? AND offset = ?", func(scan func(...any) error) error {
		var reason, detail string
		err := scan(&reason, &detail)
		refused = fmt.Errorf("%w: %s: %s", ErrCommandRefused, reason, detail)
		return err
	}, at.Topic, at.Partition, at.Offset)
	if err != nil {
		return fmt.Errorf("look for dead letters: %w", err)
	}
	return refused
}

// AcceptedCommands calls f for the commands among these that an earlier batch than one carried out.
func (s *Sink) AcceptedCommands(ctx context.Context, ids []string, before uint64, f func(id string)) error {
	for some := range slices.Chunk(ids, idsMax) {
		texts := make([]string, len(some))
		for i, id := range some {
			texts[i] = quote(id)
		}
		query := fmt.Sprintf("SELECT DISTINCT event_id AS i FROM %s.identity_log WHERE _batch < %d AND event_id IN (%s)", s.cfg.Database, before, strings.Join(texts, ","))
		var id proto.ColStr
		err := s.aside.do(ctx, func() ch.Query {
			return ch.Query{Body: query, Result: proto.Results{{Name: "i", Data: &id}},
				OnResult: func(context.Context, proto.Block) error {
					for i := range id.Rows() {
						f(id.Row(i))
					}
					return nil
				}}
		})
		if err != nil {
			return fmt.Errorf("look for commands: %w", err)
		}
	}
	return nil
}
