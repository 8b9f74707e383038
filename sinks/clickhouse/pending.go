package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"

	"github.com/seamline/seamline/schemas"
)

// The views of resolved people look up in memory what rows do not say themselves: the newest first, in dictionaries that are small and
// loaded after each batch that changes them, and then what settled.
const (
	aliasesRecent  = "aliases_recent"
	leavesRecent   = "leaves_recent"
	aliasesSettled = "aliases_settled"
	leavesSettled  = "leaves_settled"
)

// dictionaries are all of them.
func dictionaries() []string {
	return []string{aliasesRecent, leavesRecent, aliasesSettled, leavesSettled}
}

// point is a row of squash_points: what is pending, and where it is looked up. A leaf is looked up first, and then the alias of its
// person: so leaves go before aliases, and come back after them. squashed <= attributed <= settled, and recent <= settled.
type point struct {
	epoch, step uint64
	squashed    uint64 // aliases of batches up to here are in the rows themselves
	attributed  uint64 // leaves of batches up to here are in the rows themselves
	settled     uint64 // what later batches up to here said is in the settled dictionaries
	recent      uint64 // what batches after this one said is in the recent dictionaries
}

// errOvertaken says that another instance has begun to write since.
var errOvertaken = errors.New("another instance has begun to write the tables")

// pending keeps the point. An instance begins an epoch before it writes its first row: from then on, nothing that an earlier instance
// is still about to say counts, and what is written again is resolved again.
type pending struct {
	cfg  Config
	pool *pool

	writing   *sync.Mutex // the sink's; guards the following
	epoch     uint64      // of this sink; 0 before it writes
	last      uint64      // the batch that was begun last
	rewritten uint64      // rows of batches up to here may have been given another person before this epoch
}

func newPending(cfg Config, pool *pool, writing *sync.Mutex) *pending {
	return &pending{cfg: cfg, pool: pool, writing: writing}
}

// begin comes before the rows of a batch. Rows of a batch that was squashed say again who was known when it was processed, so that
// all that this batch and later ones said must be looked up again. It needs the lock.
func (p *pending) begin(ctx context.Context, number uint64) error {
	if p.epoch != 0 && number >= p.last {
		p.last = number
		return nil
	}
	return p.open(ctx, number, number-1)
}

// open begins an epoch in which nothing is squashed that batches after one said, and nothing settled that the batch and later ones
// say. Each step only adds to what is looked up, or takes away what is elsewhere by then. It needs the lock.
func (p *pending) open(ctx context.Context, number, squashed uint64) error {
	p.epoch = 0
	if err := p.readRewritten(ctx); err != nil {
		return err
	}
	at, err := p.read(ctx)
	if err != nil {
		return err
	}
	// An instance that opens at the same instant takes another one.
	at.epoch, at.step = at.epoch+1+rand.Uint64N(epochsBetween), 0
	at.squashed = min(at.squashed, squashed)
	if err := p.show(ctx, &at, aliasesSettled); err != nil {
		return err
	}
	at.attributed, at.recent = min(at.attributed, squashed), min(at.recent, number-1)
	if err := p.show(ctx, &at, leavesSettled, aliasesRecent, leavesRecent); err != nil {
		return err
	}
	if at.settled >= number {
		at.settled = number - 1
		if err := p.show(ctx, &at, aliasesSettled, leavesSettled); err != nil {
			return err
		}
	}
	p.epoch, p.last = at.epoch, number
	return nil
}

// show adds a row, and loads the dictionaries that it changes.
func (p *pending) show(ctx context.Context, at *point, dictionaries ...string) error {
	at.step++
	if err := p.insert(ctx, *at); err != nil {
		return err
	}
	return p.reload(ctx, dictionaries...)
}

const epochsBetween = 1 << 10

// move changes the point of this sink's epoch, and loads the dictionaries that this changes.
func (p *pending) move(ctx context.Context, change func(*point), dictionaries ...string) error {
	p.writing.Lock()
	defer p.writing.Unlock()
	at, err := p.read(ctx)
	if err != nil {
		return err
	}
	if at.epoch != p.epoch {
		return errOvertaken
	}
	change(&at)
	return p.show(ctx, &at, dictionaries...)
}

// read gives the point; zero where there is none.
func (p *pending) read(ctx context.Context) (point, error) {
	var columns [6]proto.ColUInt64
	var at point
	query := "SELECT epoch, step, squashed, attributed, settled, recent FROM " + p.cfg.Database + ".squash_points ORDER BY epoch DESC, step DESC LIMIT 1"
	err := p.pool.do(ctx, func() ch.Query {
		at = point{}
		return ch.Query{Body: query, Result: proto.Results{{Name: "epoch", Data: &columns[0]}, {Name: "step", Data: &columns[1]},
			{Name: "squashed", Data: &columns[2]}, {Name: "attributed", Data: &columns[3]}, {Name: "settled", Data: &columns[4]}, {Name: "recent", Data: &columns[5]}},
			OnResult: func(context.Context, proto.Block) error {
				if columns[0].Rows() > 0 {
					at = point{columns[0][0], columns[1][0], columns[2][0], columns[3][0], columns[4][0], columns[5][0]}
				}
				return nil
			}}
	})
	if err != nil {
		return at, writeError("read how far squashing is", err)
	}
	return at, nil
}

// readRewritten finds out which rows were ever within reach of squashing. It needs the lock.
func (p *pending) readRewritten(ctx context.Context) error {
	var column proto.ColUInt64
	err := p.pool.do(ctx, func() ch.Query {
		return ch.Query{Body: "SELECT max(settled) AS n FROM " + p.cfg.Database + ".squash_points", Result: proto.Results{{Name: "n", Data: &column}},
			OnResult: func(context.Context, proto.Block) error {
				if column.Rows() > 0 {
					p.rewritten = column[0]
				}
				return nil
			}}
	})
	return writeError("read how far squashing was", err)
}

// isRewritten tells whether rows that a batch wrote to a table may have another person by now. It needs the lock.
func (p *pending) isRewritten(table string, batch uint64) bool {
	return slices.Contains(squashedTables, table) && batch <= p.rewritten
}

// insert adds a row, without a token: each row is another one, and adding it again is harmless.
func (p *pending) insert(ctx context.Context, at point) error {
	statement := fmt.Sprintf("INSERT INTO %s.squash_points (epoch, step, squashed, attributed, settled, recent) SELECT %d, %d, %d, %d, %d, %d",
		p.cfg.Database, at.epoch, at.step, at.squashed, at.attributed, at.settled, at.recent)
	if err := p.pool.do(ctx, func() ch.Query { return ch.Query{Body: statement, Settings: withoutToken} }); err != nil {
		return writeError("write how far squashing is", err)
	}
	return nil
}

// reload makes dictionaries exact at once.
func (p *pending) reload(ctx context.Context, names ...string) error {
	for _, name := range names {
		if err := p.pool.do(ctx, func() ch.Query { return ch.Query{Body: reloadStatement(p.cfg, name)} }); err != nil {
			return fmt.Errorf("reload the dictionary %s: %w", name, err)
		}
	}
	return nil
}

// reloadChanged makes exact what a batch changed. Leaves come first: with the aliases of before, they resolve as before.
func (p *pending) reloadChanged(ctx context.Context, b *schemas.Batch) error {
	var changed []string
	if len(b.Attributions) > 0 {
		changed = append(changed, leavesRecent)
	}
	if len(b.Aliases) > 0 {
		changed = append(changed, aliasesRecent)
	}
	return p.reload(ctx, changed...)
}

func reloadStatement(c Config, dictionary string) string {
	statement := "SYSTEM RELOAD DICTIONARY "
	if c.Cluster != "" {
		statement += "ON CLUSTER `" + c.Cluster + "` "
	}
	return statement + c.Database + "." + dictionary
}

// Unsquash makes everything that was ever said about aliases and leaves pending again, which is to come before a rebuild over the tables:
// it writes rows that know as little as they did at first.
func (s *Sink) Unsquash(ctx context.Context) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	at, err := s.pending.read(ctx)
	if err != nil {
		return err
	}
	return s.pending.open(ctx, at.settled+1, 0)
}

// resolve gives the expression of the person that a row of squashedTables of a database belongs to.
func resolve(database string) string {
	attributed := fmt.Sprintf("dictGetOrDefault('%[1]s.leaves_recent', 'profile_id', leaf, dictGetOrDefault('%[1]s.leaves_settled', 'profile_id', leaf, profile_id))", database)
	return fmt.Sprintf("dictGetOrDefault('%[1]s.aliases_recent', 'profile_id', tuple(%[2]s), dictGetOrDefault('%[1]s.aliases_settled', 'profile_id', tuple(%[2]s), %[2]s))",
		database, attributed)
}
