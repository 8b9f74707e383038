package pipeline_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc64"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seamline/seamline/schemas"
)

// row is one row of a table: its key, and everything else as text.
type row struct{ key, value string }

// block is what a batch brings to one table.
type block struct {
	table  string
	rows   []row
	digest uint64
}

// stored is a row as it is in a table.
type stored struct {
	row
	batch uint64 // its version
}

// tables model ClickHouse: rows are kept as they come, several with one key may be there, and the largest version counts. A block whose
// token was seen is not kept again.
type tables struct {
	mu     sync.Mutex          // guards the following
	rows   map[string][]stored // by table
	tokens map[string]uint64   // digests
	wrong  []string            // what must never happen
	last   uint64              // largest batch
}

func newTables() *tables {
	return &tables{rows: map[string][]stored{}, tokens: map[string]uint64{}}
}

// insert keeps a block, and tells whether it was new.
func (t *tables) insert(batch uint64, b *block) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	token := fmt.Sprint(b.table, "/", batch)
	if digest, known := t.tokens[token]; known {
		if digest != b.digest {
			t.wrong = append(t.wrong, fmt.Sprintf("batch %d brings other rows to %s than at first", batch, b.table))
		}
		return false
	}
	t.tokens[token] = b.digest
	t.last = max(t.last, batch)
	for _, r := range b.rows {
		t.rows[b.table] = append(t.rows[b.table], stored{r, batch})
	}
	return true
}

// final gives a table's rows by key, as they count.
func (t *tables) final(table string) map[string]string {
	newest, out := map[string]uint64{}, map[string]string{}
	for _, r := range t.rows[table] {
		if r.batch >= newest[r.key] {
			newest[r.key], out[r.key] = r.batch, r.value
		}
	}
	return out
}

// text gives a table as it counts, sorted.
func (t *tables) text(table string) string {
	var lines []string
	for key, value := range t.final(table) {
		lines = append(lines, table+" "+key+" "+value)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

var sums = crc64.MakeTable(crc64.ECMA)

// text writes v as JSON; all of it can be written.
func text(v any) string {
	out, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(out)
}

// Names of the tables that are compared between runs: all but commits, which tells of batches.
var comparedTables = []string{"events", "dead_letters", "identity_log", "identifiers", "profile_aliases", "profiles", "audience_members", "audience_changes", "audiences",
	"journey_changes", "models", "session_aliases", "accounts", "contacts"}

// commit is a row of commits.
type commit struct {
	Ranges                    string
	Records, Events, Rejected int
}

// storedEvent is a row of events.
type storedEvent struct {
	*schemas.Event
	Partition     int32
	Offset        int64
	At            int
	IdentifierIDs []uint64
	ProfileID     string
	SessionID     uint64
	Revenue       schemas.Decimal
}

// blocksOf gives what a batch brings to the tables.
func blocksOf(b *schemas.Batch) []*block {
	var blocks []*block
	table := func(name string, n int, each func(i int) (key string, value any)) {
		k := &block{table: name}
		for i := range n {
			key, value := each(i)
			k.rows = append(k.rows, row{key, text(value)})
			k.digest = crc64.Update(k.digest, sums, []byte(k.rows[i].key+k.rows[i].value))
		}
		if n > 0 {
			blocks = append(blocks, k)
		}
	}
	table("events", len(b.Events), func(i int) (string, any) {
		e := b.Events[i]
		return fmt.Sprintf("%d/%d/%d", e.Record.Partition, e.Record.Offset, e.Element), storedEvent{e, e.Record.Partition, e.Record.Offset, e.Element,
			e.IdentifierIDs, e.ProfileID.String(), e.SessionID, e.Revenue}
	})
	table("dead_letters", len(b.Rejects), func(i int) (string, any) {
		r := &b.Rejects[i]
		return fmt.Sprintf("%d/%d/%d", r.Record.Partition, r.Record.Offset, r.Element), []string{string(r.Reason), r.Detail, string(r.Value)}
	})
	table("identity_log", len(b.Decisions), func(i int) (string, any) { return fmt.Sprint(b.Decisions[i].Position), b.Decisions[i] })
	table("identifiers", len(b.Identifiers), func(i int) (string, any) { return fmt.Sprint(b.Identifiers[i].ID), b.Identifiers[i] })
	table("contacts", len(b.Contacts), func(i int) (string, any) {
		c := b.Contacts[i]
		return fmt.Sprint(c.IdentifierID, "/", c.Kind, "/", c.Time), c
	})
	table("profile_aliases", len(b.Aliases), func(i int) (string, any) { return b.Aliases[i].AliasID.String(), b.Aliases[i] })
	table("profiles", len(b.Profiles), func(i int) (string, any) {
		p := b.Profiles[i]
		p.Version = 0
		return p.ID.String(), p
	})
	table("journey_changes", len(b.StageChanges), func(i int) (string, any) {
		c := b.StageChanges[i]
		return fmt.Sprint(c.ProfileID, "/", c.Time, "/", c.To), c
	})
	table("audiences", len(b.Audiences), func(i int) (string, any) { return b.Audiences[i].Name, b.Audiences[i] })
	table("models", len(b.Models), func(i int) (string, any) { return fmt.Sprint(b.Models[i].Name, "/", b.Models[i].Version), b.Models[i] })
	table("session_aliases", len(b.SessionAliases), func(i int) (string, any) { return fmt.Sprint(b.SessionAliases[i].SessionID), b.SessionAliases[i] })
	table("accounts", len(b.Accounts), func(i int) (string, any) {
		a := b.Accounts[i]
		a.Version = 0
		return a.ID, a
	})
	table("audience_members", len(b.Memberships), func(i int) (string, any) {
		return b.Memberships[i].Audience + "/" + b.Memberships[i].ProfileID.String(), b.Memberships[i]
	})
	table("audience_changes", len(b.Changes), func(i int) (string, any) {
		return fmt.Sprint(b.Changes[i].Audience, "/", b.Changes[i].Sequence), b.Changes[i]
	})
	table("commits", 1, func(int) (string, any) {
		return fmt.Sprint(b.Number), commit{fmt.Sprint(b.Ranges), len(b.Records), len(b.Events), len(b.Rejects)}
	})
	return blocks
}

// sink is a process's way to the tables, on which everything can go wrong.
type sink struct {
	p        *process
	attempts map[uint64]int // by batch
	inserts  uint64
	planned  []*block // of the batch that was planned last
}

// Name is the sink's stable name.
func (s *sink) Name() string { return "tables" }

// Plan tells what Write will write.
func (s *sink) Plan(b *schemas.Batch) []schemas.Block {
	var plan []schemas.Block
	s.planned = blocksOf(b)
	for _, k := range s.planned {
		plan = append(plan, schemas.Block{Table: k.table, Rows: len(k.rows), Digest: k.digest})
	}
	return plan
}

var (
	errRefused = errors.New("refused")
	errUnsure  = errors.New("no answer")
)

// Permilles of what goes wrong with a write.
const (
	permilleRefused   = 60
	permilleUnsure    = 60
	permilleHalfway   = 40
	permilleTwice     = 60
	permilleSlow      = 50
	permilleLateWrite = 500 // of the writes that were on their way when their process ended: they arrive all the same
)

// Write inserts a batch's blocks, as they were planned.
func (s *sink) Write(ctx context.Context, b *schemas.Batch) error {
	p, c := s.p, s.p.w.chance
	s.attempts[b.Number]++
	name := fmt.Sprintf("write/%s/%d/%d", p.name, b.Number, s.attempts[b.Number])
	wait := time.Millisecond + time.Duration(c.roll(name, "takes")%uint64(20*time.Millisecond))
	if c.happens(permilleSlow, name, "slow") {
		wait += time.Duration(c.roll(name, "takes longer") % uint64(2*time.Second))
	}
	select {
	case <-time.After(wait):
	case <-ctx.Done():
		return ctx.Err()
	case <-p.crashed:
		if !c.happens(permilleLateWrite, name, "arrives") {
			return schemas.ErrFatal
		}
		time.Sleep(wait)
	}
	p.link.pass(p.crashed)
	if c.happens(permilleRefused, name, "refused") {
		return s.answer(b, "refused", errRefused)
	}
	for i, k := range s.planned {
		if s.inserts++; p.fate.is(fateInsert, 2*s.inserts) {
			p.crash()
			return s.answer(b, "ended before an insert", nil)
		}
		s.p.tables.insert(b.Number, k)
		if p.fate.is(fateInsert, 2*s.inserts+1) {
			p.crash()
			return s.answer(b, "ended after an insert", nil)
		}
		if c.happens(permilleHalfway/2, name, "halfway", i) {
			return s.answer(b, "stopped halfway", errUnsure)
		}
		if c.happens(permilleTwice, name, "twice", i) {
			s.p.tables.insert(b.Number, k)
		}
	}
	if c.happens(permilleUnsure, name, "unsure") {
		return s.answer(b, "done, unanswered", errUnsure)
	}
	return s.answer(b, "done", nil)
}

func (s *sink) answer(b *schemas.Batch, what string, err error) error {
	s.p.note("write batch %d: %s", b.Number, what)
	if s.p.isCrashed() {
		return schemas.ErrFatal
	}
	return err
}
