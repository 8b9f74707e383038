package clickhouse

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"
)

// Squashing tells KeepSquashed about the line.
type Squashing struct {
	Bound func() uint64 // the newest batch that no sink has yet to write and no checkpoint has yet to store; 0 for none
	Leads func() bool   // whether this instance, and no other, writes; nil for always

	DictionariesOnly bool // rewrite no rows
}

// squashedTables have rows of people, whose id is rewritten.
var squashedTables = []string{"events", "order_lines", "consents", "survey_answers"}

// Limits of squashing.
const (
	lookEvery     = 15 * time.Second
	recentRowsMax = 20_000           // beyond, the recent dictionaries are emptied into the settled ones
	recentShare   = 8                // but not before they have this part of all that is pending, so that loading stays cheap in sum
	settleWaitMax = 10 * time.Second // for queries that have looked into one dictionary and not yet into the next
	pendingAgeMax = 24 * time.Hour   // beyond, the least number of pending aliases does not matter
	roundsMax     = 3                // of rewriting one table
)

// squasher writes what is pending into old rows, so that nothing has to be looked up for them. All that it does may be cut short
// and done again.
type squasher struct {
	*Sink
	Squashing
	pool      *pool     // of its own, since rewriting takes long
	ended     time.Time // when the last squashing ended; zero before the first
	settledAt time.Time // when the settled dictionaries took over what is recent as well
	isSettled bool      // they have all that the point says
	retire    uint64    // what is to leave the dictionaries; 0 for nothing
	retireAt  time.Time // when no query reads the rows of before any more, or has looked up the leaves that are gone

	isRetiring bool // leaves are gone, and aliases are to go
	isShared   bool // another pipeline's batches are in the tables, whose numbers mean nothing
}

// KeepSquashed squashes in the background until ctx ends.
func (s *Sink) KeepSquashed(ctx context.Context, cfg Squashing) {
	k, err := s.newSquasher(cfg)
	if err != nil {
		s.log.Warn("cannot squash aliases into old rows", "err", err)
		return
	}
	defer k.pool.close()
	tick := time.NewTicker(k.every())
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if k.Leads != nil && !k.Leads() {
			k.retire, k.isSettled = 0, false
			continue
		}
		if err := k.turn(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("could not squash, trying again later", "err", err)
		}
	}
}

func (s *Sink) newSquasher(cfg Squashing) (*squasher, error) {
	own := s.cfg
	own.Connections, own.WriteTimeout = 1, max(own.WriteTimeout, asideTimeoutMin)
	pool, err := newPool(own)
	if err != nil {
		return nil, err
	}
	return &squasher{Sink: s, Squashing: cfg, pool: pool}, nil
}

// every is how often a squasher looks at what is pending.
func (k *squasher) every() time.Duration {
	if k.cfg.SquashEvery > 0 {
		return min(k.cfg.SquashEvery, lookEvery)
	}
	return lookEvery
}

// turn does what is due.
func (k *squasher) turn(ctx context.Context) error {
	bound := k.Bound()
	if bound == 0 || k.isShared {
		return nil
	}
	if err := k.ready(ctx, bound); err != nil || k.isShared {
		return err
	}
	at, w, err := k.look(ctx, bound)
	if err != nil {
		return err
	}
	if err := k.retireDue(ctx); err != nil {
		return err
	}
	if err := k.empty(ctx, at); err != nil {
		return err
	}
	isDue := k.cfg.SquashEvery > 0 && !k.DictionariesOnly && k.retire == 0 && w.ripe > 0 && (w.ripe >= uint64(k.cfg.SquashMin) || w.age >= pendingAgeMax) &&
		(k.ended.IsZero() || k.clock().Sub(k.ended) >= k.cfg.SquashEvery)
	if isDue || w.recent > max(recentRowsMax, (w.aliases+w.leaves)/recentShare) {
		if err := k.settle(ctx, bound); err != nil {
			return err
		}
	}
	if isDue {
		return k.squash(ctx)
	}
	return nil
}

// ready begins an epoch where this sink has not written yet, and finds out whether the tables are of this pipeline alone.
func (k *squasher) ready(ctx context.Context, bound uint64) error {
	k.writing.Lock()
	defer k.writing.Unlock()
	if k.pending.epoch != 0 {
		return nil
	}
	others, err := k.number(ctx, fmt.Sprintf("SELECT count() AS n FROM %s.commits WHERE pipeline != %s", k.cfg.Database, quote(k.pipeline)))
	if err != nil {
		return err
	}
	if k.isShared = others > 0; k.isShared {
		k.log.Warn("the tables hold batches of other pipelines: aliases are not squashed into old rows")
		return nil
	}
	return k.pending.open(ctx, bound+1, bound)
}

// settle lets the settled dictionaries take what batches up to bound said.
func (k *squasher) settle(ctx context.Context, bound uint64) error {
	err := k.pending.move(ctx, func(at *point) { at.settled = max(at.settled, bound) }, aliasesSettled, leavesSettled)
	k.settledAt, k.isSettled = k.clock(), err == nil
	return err
}

// empty takes out of the recent dictionaries what the settled ones have as well.
func (k *squasher) empty(ctx context.Context, at point) error {
	if at.recent == at.settled {
		return nil
	}
	if !k.isSettled { // by an earlier process, or it was cut short
		return k.settle(ctx, at.settled)
	}
	if k.clock().Sub(k.settledAt) < k.settleWait() {
		return nil
	}
	return k.pending.move(ctx, func(at *point) { at.recent = at.settled }, aliasesRecent, leavesRecent)
}

func (k *squasher) settleWait() time.Duration { return min(settleWaitMax, k.cfg.SquashGrace) }

// squash writes what settled into the rows.
func (k *squasher) squash(ctx context.Context) error {
	at, err := k.pending.read(ctx)
	if err != nil {
		return err
	}
	start := k.clock()
	rows := uint64(0)
	for _, table := range squashedTables {
		n, isDone, err := k.rewrite(ctx, table, at.settled)
		if err != nil {
			return fmt.Errorf("squash %s: %w", table, err)
		}
		if !isDone {
			return nil // a later turn
		}
		rows += n
	}
	k.retire, k.isRetiring, k.retireAt = at.settled, false, k.clock().Add(k.cfg.SquashGrace)
	k.log.Info("squashed aliases into old rows", "through", at.settled, "rows", rows, "took_ms", k.clock().Sub(start).Milliseconds())
	return nil
}

// retireDue takes out of the dictionaries what rows say by now: leaves first, and aliases when no query looks up a leaf any more whose
// person they resolve.
func (k *squasher) retireDue(ctx context.Context) error {
	if k.retire == 0 || k.clock().Before(k.retireAt) {
		return nil
	}
	if !k.isRetiring {
		if err := k.retireLeaves(ctx); err != nil {
			return err
		}
		k.isRetiring, k.retireAt = true, k.clock().Add(k.settleWait())
		return nil
	}
	return k.retireAliases(ctx)
}

func (k *squasher) retireLeaves(ctx context.Context) error {
	return k.pending.move(ctx, func(at *point) { at.attributed = max(at.attributed, min(k.retire, at.settled)) }, leavesSettled)
}

func (k *squasher) retireAliases(ctx context.Context) error {
	err := k.pending.move(ctx, func(at *point) { at.squashed = max(at.squashed, min(k.retire, at.attributed)) }, aliasesSettled)
	if err == nil {
		k.retire, k.isRetiring, k.ended = 0, false, k.clock()
	}
	return err
}

// rewrite gives the rows of a table that batches up to through wrote the person that the settled dictionaries know, partition by
// partition, until no row has another. isDone is false where an earlier rewriting still goes on.
func (k *squasher) rewrite(ctx context.Context, table string, through uint64) (rows uint64, isDone bool, err error) {
	running, err := k.number(ctx, fmt.Sprintf("SELECT count() AS n FROM system.mutations WHERE database = %s AND table = %s AND NOT is_done AND position(command, %s) > 0",
		quote(k.cfg.Database), quote(table), quote(aliasesSettled)))
	if err != nil || running > 0 {
		return 0, false, err
	}
	for range roundsMax {
		partitions, n, err := k.unresolved(ctx, table, through)
		if err != nil || len(partitions) == 0 {
			return rows, err == nil, err
		}
		for _, partition := range partitions {
			statement := fmt.Sprintf("ALTER TABLE %s.%s UPDATE profile_id = %s IN PARTITION ID %s WHERE %s",
				k.cfg.Database, table, k.settledPerson(), quote(partition), k.isUnresolved(through))
			if err := k.pool.do(ctx, func() ch.Query { return ch.Query{Body: statement, Settings: mutationSettings} }); err != nil {
				return rows, false, err
			}
		}
		rows += n
		k.metrics.squashed.WithLabelValues(table).Add(float64(n))
	}
	return rows, false, fmt.Errorf("rows are left that do not say who they belong to after %d rounds", roundsMax)
}

// settledPerson is the expression of the person that a row belongs to as far as the settled dictionaries know.
func (k *squasher) settledPerson() string {
	leaf := fmt.Sprintf("dictGetOrDefault('%s.%s', 'profile_id', leaf, profile_id)", k.cfg.Database, leavesSettled)
	return fmt.Sprintf("dictGetOrDefault('%s.%s', 'profile_id', tuple(%s), %s)", k.cfg.Database, aliasesSettled, leaf, leaf)
}

func (k *squasher) isUnresolved(through uint64) string {
	return fmt.Sprintf("_batch <= %d AND profile_id != %s", through, k.settledPerson())
}

// scanSettings leave processors to the line.
var scanSettings = []ch.Setting{{Key: "max_threads", Value: "1"}}

// unresolved gives the partitions with rows to rewrite, and how many rows those are.
func (k *squasher) unresolved(ctx context.Context, table string, through uint64) (partitions []string, rows uint64, err error) {
	query := fmt.Sprintf("SELECT CAST(_partition_id AS String) AS partition, count() AS n FROM %s.%s WHERE %s GROUP BY partition ORDER BY partition",
		k.cfg.Database, table, k.isUnresolved(through))
	var partition proto.ColStr
	var count proto.ColUInt64
	err = k.pool.do(ctx, func() ch.Query {
		partitions, rows = nil, 0
		return ch.Query{Body: query, Settings: scanSettings, Result: proto.Results{{Name: "partition", Data: &partition}, {Name: "n", Data: &count}},
			OnResult: func(context.Context, proto.Block) error {
				for i := range count {
					partitions, rows = append(partitions, partition.Row(i)), rows+count[i]
				}
				return nil
			}}
	})
	return partitions, rows, err
}

// waiting is what is pending.
type waiting struct {
	aliases, leaves uint64
	ripe            uint64 // of both, said by batches that may be squashed
	recent          uint64 // of both, in the recent dictionaries
	age             time.Duration
}

// look counts what is pending, and notes it in the metrics.
func (k *squasher) look(ctx context.Context, bound uint64) (at point, w waiting, err error) {
	if at, err = k.pending.read(ctx); err != nil {
		return at, w, err
	}
	oldest := uint64(0)
	count := func(table, key, condition string, after uint64) (uint64, error) {
		var n [4]proto.ColUInt64
		var all uint64
		query := fmt.Sprintf(`SELECT count() AS n, countIf(b <= %d) AS ripe, countIf(b > %d) AS recent, min(b) AS oldest FROM
			(SELECT %s AS k, argMax(profile_id, _batch) AS p, max(_batch) AS b FROM %s.%s WHERE _batch > %d GROUP BY k) WHERE %s`,
			bound, at.recent, key, k.cfg.Database, table, after, condition)
		err := k.pool.do(ctx, func() ch.Query {
			return ch.Query{Body: query, Settings: scanSettings, Result: proto.Results{{Name: "n", Data: &n[0]}, {Name: "ripe", Data: &n[1]},
				{Name: "recent", Data: &n[2]}, {Name: "oldest", Data: &n[3]}},
				OnResult: func(context.Context, proto.Block) error {
					if n[0].Rows() > 0 && n[0][0] > 0 {
						all = n[0][0]
						w.ripe, w.recent = w.ripe+n[1][0], w.recent+n[2][0]
						if oldest == 0 || n[3][0] < oldest {
							oldest = n[3][0]
						}
					}
					return nil
				}}
		})
		return all, err
	}
	if w.aliases, err = count("profile_aliases", "alias_id", "p != k", at.squashed); err != nil {
		return at, w, err
	}
	if w.leaves, err = count("leaf_profiles", "leaf", "1", at.attributed); err != nil {
		return at, w, err
	}
	if oldest > 0 {
		seconds, err := k.number(ctx, fmt.Sprintf("SELECT toUInt64(if(count() = 0, 0, greatest(0, dateDiff('second', min(time), now64(3, 'UTC'))))) AS n FROM %s.commits WHERE pipeline = %s AND batch = %d",
			k.cfg.Database, quote(k.pipeline), oldest))
		if err != nil {
			return at, w, err
		}
		w.age = time.Duration(seconds) * time.Second
	}
	k.metrics.pending.WithLabelValues("aliases").Set(float64(w.aliases))
	k.metrics.pending.WithLabelValues("leaves").Set(float64(w.leaves))
	k.metrics.squashLag.Set(w.age.Seconds())
	return at, w, nil
}

// number asks for a number by the name of n.
func (k *squasher) number(ctx context.Context, query string) (uint64, error) {
	var column proto.ColUInt64
	var n uint64
	err := k.pool.do(ctx, func() ch.Query {
		return ch.Query{Body: query, Result: proto.Results{{Name: "n", Data: &column}},
			OnResult: func(context.Context, proto.Block) error {
				if column.Rows() > 0 {
					n = column[0]
				}
				return nil
			}}
	})
	return n, err
}
