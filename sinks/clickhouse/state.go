package clickhouse

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"sync"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"
	"github.com/cespare/xxhash/v2"

	"github.com/seamline/seamline/schemas"
	"github.com/seamline/seamline/schemas/fault"
)

// StatePartBytesMax bounds the data of one part.
const StatePartBytesMax = 8 << 20

// check finds what cannot be part of a chain.
func checkPart(p *schemas.StatePart) error {
	switch {
	case p.Parts == 0 || p.Part >= p.Parts:
		return fmt.Errorf("part %d of %d does not exist", p.Part, p.Parts)
	case len(p.Data) > StatePartBytesMax:
		return fmt.Errorf("part %d has %d bytes, the most are %d", p.Part, len(p.Data), StatePartBytesMax)
	case p.Format < 0 || p.Format > math.MaxUint16:
		return fmt.Errorf("format %d does not exist", p.Format)
	case p.Batch == p.Generation && p.After != 0:
		return fmt.Errorf("the base of generation %d goes on from batch %d", p.Generation, p.After)
	case p.Batch != p.Generation && (p.After < p.Generation || p.After >= p.Batch):
		return fmt.Errorf("the delta to batch %d of generation %d goes on from batch %d", p.Batch, p.Generation, p.After)
	}
	return nil
}

// checkpoint is what all parts of a base or delta have in common.
type checkpoint struct {
	generation, batch, after uint64
	parts                    uint32
	format                   uint16
}

func checkpointOf(p *schemas.StatePart) checkpoint {
	return checkpoint{p.Generation, p.Batch, p.After, p.Parts, uint16(p.Format)}
}

// origin stands for the checksum of the part before the first.
func (c checkpoint) origin() uint64 {
	return xxhash.Sum64String(fmt.Sprintf("%d/%d/%d/%d/%d", c.generation, c.batch, c.after, c.parts, c.format))
}

// chained gives the checksum of a part, which vouches for the parts before it as well.
func chained(previous uint64, data []byte) uint64 {
	var d xxhash.Digest
	d.Reset()
	d.WriteString(strconv.FormatUint(previous, 10))
	d.WriteString("/")
	d.Write(data)
	return d.Sum64()
}

// stateTable is the table state_backups. It has a connection of its own, so that backups and batches do not wait for each other.
type stateTable struct {
	pool *pool

	mu     sync.Mutex // guards the following
	block  block
	saving checkpoint // what is being saved
	next   uint32     // its next part
	last   uint64     // checksum of the part before that

	pipeline                                     words
	generation, batch, after, previous, checksum fixed[uint64]
	part, parts                                  fixed[uint32]
	format                                       fixed[uint16]
	data                                         texts
}

func newStateTable(database string, pool *pool) *stateTable {
	t := &stateTable{pool: pool, generation: uint64s(), batch: uint64s(), after: uint64s(), previous: uint64s(), checksum: uint64s(),
		part: uint32s(), parts: uint32s(), format: uint16s()}
	t.block = newBlock(database, "state_backups",
		named{"pipeline", &t.pipeline}, named{"generation", &t.generation}, named{"batch", &t.batch}, named{"part", &t.part},
		named{"after", &t.after}, named{"parts", &t.parts}, named{"format", &t.format}, named{"data", &t.data},
		named{"previous", &t.previous}, named{"checksum", &t.checksum})
	return t
}

// SaveState stores a part of the state. The parts of a checkpoint come in order, from the first, and after an error the same part
// again, or the checkpoint from its first part. It does not wait for Write.
func (s *Sink) SaveState(ctx context.Context, p schemas.StatePart) error {
	doing := fmt.Sprintf("save the state of batch %d", p.Batch)
	if err := checkPart(&p); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	t := s.state
	t.mu.Lock()
	defer t.mu.Unlock()
	c := checkpointOf(&p)
	if p.Part == 0 {
		t.saving, t.next, t.last = c, 0, c.origin()
	}
	if t.saving != c || t.next != p.Part {
		return fmt.Errorf("%s: part %d of %d does not come after the part before it", doing, p.Part, p.Parts)
	}
	t.fill(s.pipeline, &p)
	if err := s.insertOnce(ctx, t.pool, &t.block, p.Batch); err != nil {
		return writeError(doing, err)
	}
	fault.At(fault.PointBackup)
	t.next, t.last = p.Part+1, t.checksum.rows[0]
	return nil
}

// fill needs the lock.
func (t *stateTable) fill(pipeline string, p *schemas.StatePart) {
	t.block.reset()
	t.pipeline.add(pipeline)
	t.generation.add(p.Generation)
	t.batch.add(p.Batch)
	t.part.add(p.Part)
	t.after.add(p.After)
	t.parts.add(p.Parts)
	t.format.add(uint16(p.Format))
	t.data.addBytes(p.Data)
	t.previous.add(t.last)
	t.checksum.add(chained(t.last, p.Data))
	t.block.partition = strconv.FormatUint(p.Generation, 10)
	t.block.where = fmt.Sprintf("pipeline = %s AND generation = %d AND part = %d", quote(pipeline), p.Generation, p.Part)
	t.block.isKeyed = true // it is one row
	t.block.seal()
}

// DropState forgets the generations of this pipeline before one.
func (s *Sink) DropState(ctx context.Context, before uint64) error {
	_, rows, err := Query(ctx, s.cfg, "SELECT DISTINCT generation FROM state_backups WHERE pipeline = ? AND generation < ?", s.pipeline, before)
	if err != nil {
		return fmt.Errorf("list old states: %w", err)
	}
	for _, row := range rows {
		statement := fmt.Sprintf("ALTER TABLE %s.state_backups DROP PARTITION (%s, %d)", s.cfg.Database, quote(s.pipeline), row[0])
		if err := s.state.pool.do(ctx, func() ch.Query { return ch.Query{Body: statement} }); err != nil {
			return fmt.Errorf("drop the state of generation %d: %w", row[0], err)
		}
	}
	return nil
}

// LastState tells which generation LoadState would give, and the batch of its latest checkpoint; zero where there is none.
func (s *Sink) LastState(ctx context.Context) (generation, batch uint64, err error) {
	all, err := s.savedStates(ctx)
	if err != nil {
		return 0, 0, fmt.Errorf("look for a state: %w", err)
	}
	chain := newestChain(all)
	if len(chain) == 0 {
		return 0, 0, nil
	}
	tip := chain[len(chain)-1]
	return tip.generation, tip.batch, nil
}

// saved is a checkpoint as the table has it.
type saved struct {
	checkpoint
	checksums []uint64 // by part
	isWhole   bool
}

// LoadState gives the parts of the newest state that is whole: of the newest generation whose base is, and of the deltas after it, in
// order. What is torn or damaged is left out with all that builds on it, and f is told nothing of it. One part is in memory at a time;
// its data is valid during the call only. found is false where there is no state.
func (s *Sink) LoadState(ctx context.Context, f func(schemas.StatePart) error) (found bool, err error) {
	all, err := s.savedStates(ctx)
	if err != nil {
		return false, fmt.Errorf("load state: %w", err)
	}
	for len(all) > 0 {
		chain := newestChain(all)
		bad, err := s.firstDamaged(ctx, chain)
		if err != nil {
			return false, fmt.Errorf("load state: %w", err)
		}
		if bad < 0 {
			return len(chain) > 0, s.stream(ctx, chain, f)
		}
		s.log.Warn("a copy of the state is damaged, going back to what is older", "generation", chain[bad].generation, "batch", chain[bad].batch)
		all = slices.DeleteFunc(all, func(k saved) bool { return k.checkpoint == chain[bad].checkpoint })
	}
	return false, nil
}

// newestChain gives a base and the deltas that lead from it to the latest checkpoint; nothing where there is no base. Of checkpoints
// that go on from the same one, as an instance that lost the lead may leave, it takes those that lead farthest.
func newestChain(all []saved) []saved {
	tips := slices.SortedFunc(slices.Values(all), func(a, b saved) int {
		return cmp.Or(cmp.Compare(b.generation, a.generation), cmp.Compare(b.batch, a.batch))
	})
	for _, tip := range tips {
		chain := []saved{tip}
		for at := tip; at.batch != at.generation; {
			before := slices.IndexFunc(all, func(k saved) bool { return k.generation == at.generation && k.batch == at.after })
			if before < 0 {
				chain = nil
				break
			}
			at = all[before]
			chain = append(chain, at)
		}
		if chain != nil {
			slices.Reverse(chain)
			return chain
		}
	}
	return nil
}

// savedStates lists the checkpoints of which all parts are there and fit together.
func (s *Sink) savedStates(ctx context.Context) ([]saved, error) {
	conn, err := s.cfg.open()
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	rows, err := conn.Query(ctx, "SELECT generation, batch, part, after, parts, format, previous, checksum FROM "+s.cfg.Database+
		".state_backups FINAL WHERE pipeline = ? ORDER BY generation, batch, part", s.pipeline)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []saved
	for rows.Next() {
		var c checkpoint
		var part uint32
		var previous, checksum uint64
		if err := rows.Scan(&c.generation, &c.batch, &part, &c.after, &c.parts, &c.format, &previous, &checksum); err != nil {
			return nil, err
		}
		if part == 0 {
			all = append(all, saved{checkpoint: c, isWhole: previous == c.origin()})
		}
		if len(all) == 0 || all[len(all)-1].generation != c.generation || all[len(all)-1].batch != c.batch {
			continue // its first part is missing
		}
		k := &all[len(all)-1]
		if part > 0 && (k.checkpoint != c || int(part) != len(k.checksums) || previous != k.checksums[part-1]) {
			k.isWhole = false
		}
		k.checksums = append(k.checksums, checksum)
	}
	whole := slices.DeleteFunc(all, func(k saved) bool { return !k.isWhole || len(k.checksums) != int(k.parts) })
	return whole, rows.Err()
}

// damage is what a server answers where stored bytes are not what it wrote.
var damage = []proto.Error{proto.ErrChecksumDoesntMatch, proto.ErrCannotReadAllData, proto.ErrAttemptToReadAfterEOF, proto.ErrCannotDecompress,
	proto.ErrCorruptedData, proto.ErrFileDoesntExist}

// readSettings keep the memory of a query small, whose rows have megabytes.
var readSettings = []ch.Setting{{Key: "max_threads", Value: "1"}, {Key: "max_block_size", Value: "1"}, {Key: "preferred_max_column_in_block_size_bytes", Value: "1"}}

// verifyParts is how many parts one query verifies, so that none takes long.
const verifyParts = 32

// firstDamaged gives the place of the first checkpoint whose data does not have its checksums; -1 where all do. The server compares
// them, so that nothing of a damaged checkpoint is delivered.
func (s *Sink) firstDamaged(ctx context.Context, chain []saved) (int, error) {
	for i, k := range chain {
		for from := 0; from < len(k.checksums); from += verifyParts {
			wanted := k.checksums[from:min(from+verifyParts, len(k.checksums))]
			fits, err := s.fitting(ctx, k.checkpoint, from, wanted)
			if code, ok := answer(err); ok && slices.Contains(damage, code) {
				return i, nil
			}
			if err != nil {
				return 0, err
			}
			if fits < len(wanted) {
				return i, nil
			}
		}
	}
	return -1, nil
}

// fitting counts the parts of a checkpoint, from one on, whose data has the wanted checksum.
func (s *Sink) fitting(ctx context.Context, c checkpoint, from int, wanted []uint64) (int, error) {
	query := fmt.Sprintf("SELECT part, checksum FROM %s.state_backups WHERE %s AND part >= %d AND part < %d AND checksum = xxHash64(concat(toString(previous), '/', data))",
		s.cfg.Database, s.whereSaved(c), from, from+len(wanted))
	var part proto.ColUInt32
	var checksum proto.ColUInt64
	var fits map[int]bool
	err := s.state.pool.do(ctx, func() ch.Query {
		fits = map[int]bool{}
		return ch.Query{Body: query, Settings: readSettings, Result: proto.Results{{Name: "part", Data: &part}, {Name: "checksum", Data: &checksum}},
			OnResult: func(context.Context, proto.Block) error {
				for j := range part {
					if n := int(part[j]) - from; checksum[j] == wanted[n] {
						fits[n] = true
					}
				}
				return nil
			}}
	})
	return len(fits), err
}

func (s *Sink) whereSaved(c checkpoint) string {
	return fmt.Sprintf("pipeline = %s AND generation = %d AND batch = %d", quote(s.pipeline), c.generation, c.batch)
}

// errChanged says that a state changed between its verification and its reading.
var errChanged = errors.New("a part of the state is not what it was a moment ago")

// stream reads the parts of a chain one by one.
func (s *Sink) stream(ctx context.Context, chain []saved, f func(schemas.StatePart) error) error {
	for _, k := range chain {
		previous := k.origin()
		for part, checksum := range k.checksums {
			data, err := s.readPart(ctx, k.checkpoint, uint32(part), checksum)
			if err != nil {
				return fmt.Errorf("load part %d of the state of batch %d: %w", part, k.batch, err)
			}
			if chained(previous, data) != checksum {
				return fmt.Errorf("load part %d of the state of batch %d: %w", part, k.batch, errChanged)
			}
			previous = checksum
			p := schemas.StatePart{Generation: k.generation, After: k.after, Batch: k.batch, Part: uint32(part), Parts: k.parts, Data: data, Format: int(k.format)}
			if err := f(p); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Sink) readPart(ctx context.Context, c checkpoint, part uint32, checksum uint64) (found []byte, err error) {
	query := fmt.Sprintf("SELECT data FROM %s.state_backups WHERE %s AND part = %d AND checksum = %d LIMIT 1",
		s.cfg.Database, s.whereSaved(c), part, checksum)
	var data proto.ColStr
	isFound := false
	err = s.state.pool.do(ctx, func() ch.Query {
		isFound = false
		return ch.Query{Body: query, Settings: readSettings, Result: proto.Results{{Name: "data", Data: &data}},
			OnResult: func(context.Context, proto.Block) error {
				if data.Rows() > 0 {
					found, isFound = data.RowBytes(0), true
				}
				return nil
			}}
	})
	if err == nil && !isFound {
		err = errChanged
	}
	return found, err
}
