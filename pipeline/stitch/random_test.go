package stitch

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seamline/seamline/schemas"
)

var (
	seedCount  = flag.Int("seeds", 0, "how many random histories; 0 takes as many as fit in -for")
	historyFor = flag.Duration("for", time.Minute, "how long random histories are played")
)

// TestRandomHistories: engine and oracle agree on every history, and what must be equal is equal. -seed N plays history N first.
func TestRandomHistories(t *testing.T) {
	t.Parallel()
	first := *seed
	if first == 0 {
		first = uint64(time.Now().UnixNano()) >> 4 << 4
	}
	t.Logf("histories from -seed %d on", first)
	span := *historyFor
	if testing.Short() {
		span = min(span, 5*time.Second)
	}
	deadline := time.Now().Add(span)
	var next, done atomic.Uint64
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			cache := &rulesCache{}
			for !t.Failed() {
				n := next.Add(1) - 1
				if *seedCount > 0 && n >= uint64(*seedCount) || *seedCount == 0 && n > 0 && time.Now().After(deadline) {
					return
				}
				h, rules := cache.draw(first+n, nil)
				if err := disagree(h, rules, first+n); err != nil {
					t.Errorf("-seed %d: %v", first+n, err)
					small, err := shrink(h, first+n)
					t.Errorf("-seed %d, as small as could be made: %v\n%s", first+n, err, small)
				}
				done.Add(1)
			}
		})
	}
	wg.Wait()
	t.Logf("%d histories", done.Load())
}

// FuzzHistories makes the choices of a history from bytes, and where they end from the seed.
func FuzzHistories(f *testing.F) {
	for n := range uint64(8) {
		f.Add(n, []byte{1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233})
	}
	cache := &rulesCache{}
	var mu sync.Mutex // guards cache
	f.Fuzz(func(t *testing.T, seed uint64, data []byte) {
		mu.Lock()
		defer mu.Unlock()
		h, rules := cache.draw(seed, data)
		if err := disagree(h, rules, seed); err != nil {
			small, err2 := shrink(h, seed)
			t.Fatalf("%v; as small as could be made: %v\n%s", err, err2, small)
		}
	})
}

// historyMax is how long one history may take.
const historyMax = 20 * time.Second

// disagree plays a history in several ways and tells where something is not as it must be.
func disagree(h *history, rules *oracleRules, seed uint64) (err error) {
	guard := time.AfterFunc(historyMax, func() { panic(fmt.Sprintf("-seed %d: a history does not end:\n%s", seed, h)) })
	defer func() {
		guard.Stop()
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
		}
	}()
	w := &ways{rules: rules, entries: h.entries, names: newNames(), seed: seed}
	o, steps, err := w.step()
	if err != nil {
		return fmt.Errorf("entry by entry: %w", err)
	}
	for _, way := range []struct {
		name string
		cut  func(left int) int
		save bool
	}{
		{"in one batch", func(left int) int { return left }, false},
		{"in random batches with restarts", w.random(), true},
	} {
		p, err := w.play(h.entries, way.cut, way.save)
		if err == nil {
			err = errors.Join(compare(o, p, w.names), sameOutput(p, steps))
		}
		if err != nil {
			return fmt.Errorf("%s: %w", way.name, err)
		}
	}
	return w.properties(o)
}

// ways are the ways in which one history is played.
type ways struct {
	rules   *oracleRules
	entries []storyEntry
	names   *names
	seed    uint64
}

func (w *ways) random() func(int) int {
	rng := rand.New(rand.NewPCG(w.seed, 7))
	return func(left int) int { return 1 + rng.IntN(left) }
}

// step plays the history in batches of one entry and compares after each.
func (w *ways) step() (*oracle, *player, error) {
	o, p := newOracle(w.rules), newPlayer(w.rules.forms)
	for i := range w.entries {
		o.read(&w.entries[i])
		rows := len(p.decisions)
		if err := p.play(w.entries[i : i+1]); err != nil {
			return nil, nil, err
		}
		if err := errors.Join(compare(o, p, w.names), compareRows(o, p, w.names, rows), o.limits()); err != nil {
			return nil, nil, fmt.Errorf("after entry %d, %s: %w", i, &w.entries[i], err)
		}
	}
	return o, p, nil
}

// play plays entries in batches, with a restart after each where save is set.
func (w *ways) play(entries []storyEntry, cut func(left int) int, save bool) (*player, error) {
	p, store := newPlayer(w.rules.forms), shelf{}
	for len(entries) > 0 {
		n := cut(len(entries))
		if err := p.play(entries[:n]); err != nil {
			return nil, err
		}
		entries = entries[n:]
		if save {
			if err := p.restart(store); err != nil {
				return nil, err
			}
		}
	}
	return p, nil
}

func (w *ways) oracle(entries []storyEntry) *oracle {
	o := newOracle(w.rules)
	for i := range entries {
		o.read(&entries[i])
	}
	return o
}

// sameOutput: what two players gave in other batches is the same.
func sameOutput(got, want *player) error {
	for i := range max(len(got.decisions), len(want.decisions)) {
		if i >= len(got.decisions) || i >= len(want.decisions) {
			return fmt.Errorf("%d rows of the identity log, want %d", len(got.decisions), len(want.decisions))
		}
		if got.decisions[i] != want.decisions[i] {
			return fmt.Errorf("a row of the identity log is %v, want %v", got.decisions[i], want.decisions[i])
		}
	}
	for i := range want.events {
		if a, b := &got.events[i], &want.events[i]; a.leaf != b.leaf || a.profile != b.profile || !slices.Equal(a.ids, b.ids) {
			return fmt.Errorf("event %s has leaf %d, profile %s and identifiers %v, want %d, %s and %v", a.name, a.leaf, a.profile, a.ids, b.leaf, b.profile, b.ids)
		}
	}
	for id, row := range want.rows {
		if got.rows[id] != row {
			return fmt.Errorf("row %d of identifiers is %v, want %v", id, got.rows[id], row)
		}
	}
	if len(got.rows) != len(want.rows) {
		return fmt.Errorf("%d rows of identifiers, want %d", len(got.rows), len(want.rows))
	}
	if !maps.Equal(got.aliases, want.aliases) {
		return fmt.Errorf("the aliases are %v, want %v", got.aliases, want.aliases)
	}
	if !maps.Equal(got.attributions, want.attributions) {
		return fmt.Errorf("the attributions are %v, want %v", got.attributions, want.attributions)
	}
	return nil
}

// limits: no group has more values of a namespace than its limit, lent ones counted, where there is no window.
func (o *oracle) limits() error {
	for i, id := range o.ids {
		if o.group[i] != i {
			continue
		}
		for _, s := range o.spaces {
			if rule := o.rules.Namespaces[s.namespace]; rule == nil || rule.within != 0 {
				continue
			}
			if n := o.values(i, s.namespace, id.first); n > s.limit {
				return fmt.Errorf("the group of %s has %d values of %s", id.key, n, s.namespace)
			}
		}
	}
	return nil
}

// chooser makes choices from bytes, and where they end at random.
type chooser struct {
	data []byte
	rng  *rand.Rand
}

func (c *chooser) pick(n int) int {
	if len(c.data) > 0 {
		b := c.data[0]
		c.data = c.data[1:]
		return int(b) % n
	}
	return c.rng.IntN(n)
}

// one is true once in n.
func (c *chooser) one(n int) bool { return c.pick(n) == 0 }

// pickOf chooses an element.
func pickOf[T any](c *chooser, of ...T) T { return of[c.pick(len(of))] }

// rulesShared is how many seeds in a row share their rules, since rules take longer to read than a history to play.
const rulesShared = 16

// rulesCache keeps the rules of the last few draws.
type rulesCache struct {
	seeds [4]uint64
	drawn [4]*history
	read  [4]*oracleRules
}

// draw makes the history of a seed.
func (r *rulesCache) draw(seed uint64, data []byte) (*history, *oracleRules) {
	key := seed/rulesShared + 1
	slot := key % uint64(len(r.seeds))
	if r.seeds[slot] != key {
		h := drawRules(&chooser{rng: rand.New(rand.NewPCG(key, 3))})
		text, err := h.rulesText()
		if err != nil {
			panic(err)
		}
		rules, err := readOracleRules(text)
		if err != nil {
			panic(fmt.Sprintf("drawn rules: %v\n%s", err, text))
		}
		r.seeds[slot], r.drawn[slot], r.read[slot] = key, h, rules
	}
	h := *r.drawn[slot]
	h.entries = drawEntries(&chooser{data: data, rng: rand.New(rand.NewPCG(seed, 5))}, h.namespaces())
	return &h, r.read[slot]
}

// commandKinds are drawn by weight.
var commandKinds = []schemas.CommandKind{schemas.CommandRetract, schemas.CommandRetract, schemas.CommandRetract, schemas.CommandQuarantine,
	schemas.CommandQuarantine, schemas.CommandRelease, schemas.CommandRelease, schemas.CommandErase}
