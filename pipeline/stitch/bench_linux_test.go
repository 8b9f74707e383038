package stitch

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sys/unix"

	"github.com/seamline/seamline/pipeline/slab"
	"github.com/seamline/seamline/schemas"
)

// perPerson is how many identifiers a person of the benchmarks has: a user_id, a device_id, an e-mail and an anonymous_id.
const perPerson = 4

// benchIdentifiers gives the sizes that benchmarks run at. SEAMLINE_BENCH_IDENTIFIERS names one more, such as 50000000.
func benchIdentifiers(b *testing.B) []int {
	sizes := []int{100_000, 10_000_000}
	if text := os.Getenv("SEAMLINE_BENCH_IDENTIFIERS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			b.Fatal(err)
		}
		sizes = append(sizes, n)
	}
	return sizes
}

// crowd makes records of people. Its memory is used again, so that what it costs is small and the same for everybody.
type crowd struct {
	events []schemas.Event
	batch  schemas.Batch
	text   []byte
}

func (c *crowd) name(prefix string, p int) string {
	from := len(c.text)
	c.text = strconv.AppendUint(append(c.text, prefix...), slab.Hash64(uint64(p)), 36)
	return string(c.text[from:])
}

// fill makes a record of each person: user_id with one or two of the others.
func (c *crowd) fill(people []int) *schemas.Batch {
	c.batch.Reset()
	c.text = c.text[:0]
	if c.events == nil {
		c.events = make([]schemas.Event, len(people))
	}
	for i, p := range people {
		e := &c.events[i]
		*e = schemas.Event{ID: "event", Time: schemas.Day*20_000 + schemas.Time(i), Identifiers: e.Identifiers[:0]}
		e.Identify("user_id", c.name("u", p))
		e.Identify("anonymous_id", c.name("a", p))
		if p%2 == i%2 {
			e.Identify("device_id", c.name("d", p))
		} else {
			e.Identify("email", c.name("m", p)+"@example.com")
		}
		c.batch.Events = append(c.batch.Events, e)
	}
	return &c.batch
}

// populate tells a stage about people, in batches, and gives the longest that one event kept the processor.
func (c *crowd) populate(b *testing.B, s *Stage, people int) (longest time.Duration) {
	b.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	const size = 10_000
	who := make([]int, size)
	m := &schemas.Moment{}
	for from := 0; from < 2*people; from += size {
		for i := range who {
			who[i] = (from + i) / 2 // each twice on end, so that both kinds of record come
		}
		batch := c.fill(who)
		if err := s.Begin(batch); err != nil {
			b.Fatal(err)
		}
		for _, e := range batch.Events {
			m.Event, m.Touched = e, m.Touched[:0]
			at := threadCPU()
			if err := s.Step(batch, m); err != nil {
				b.Fatal(err)
			}
			longest = max(longest, threadCPU()-at)
		}
		if err := s.Apply(batch); err != nil {
			b.Fatal(err)
		}
		if from%(10*size) == 0 {
			s.saved() // as a checkpoint does
		}
	}
	s.saved()
	return longest
}

// textbook is what a program without this package would do: a map of strings, and union-find with path compression and sizes.
type textbook struct {
	ids     map[string]uint32
	parents []uint32
	sizes   []uint32
	key     []byte
}

func (t *textbook) id(raw schemas.Identifier) uint32 {
	t.key = append(append(append(t.key[:0], raw.Namespace...), 0), raw.Value...)
	id, ok := t.ids[string(t.key)]
	if !ok {
		id = uint32(len(t.parents))
		t.ids[string(t.key)] = id
		t.parents, t.sizes = append(t.parents, id), append(t.sizes, 1)
	}
	return id
}

func (t *textbook) find(id uint32) uint32 {
	for t.parents[id] != id {
		t.parents[id] = t.parents[t.parents[id]]
		id = t.parents[id]
	}
	return id
}

// resolve unites the identifiers of an event and gives their representative.
func (t *textbook) resolve(e *schemas.Event) uint32 {
	var root uint32
	for i, raw := range e.Identifiers {
		at := t.find(t.id(raw))
		if i > 0 && at != root {
			if t.sizes[at] > t.sizes[root] {
				at, root = root, at
			}
			t.parents[at] = root
			t.sizes[root] += t.sizes[at]
		} else {
			root = at
		}
	}
	return root
}

// BenchmarkKnown resolves events whose identifiers are known to people, by a map with textbook union-find and by the stage's own look-up,
// beside the whole stage with evidence, limits, hands and rows. cpu-ns/identifier is what to compare; B/identifier is memory: of the index and
// the nodes, and of everything.
func BenchmarkKnown(b *testing.B) {
	const size = 10_000
	for _, identifiers := range benchIdentifiers(b) {
		people := identifiers / perPerson
		var c crowd
		rng := rand.New(rand.NewPCG(1, 1))
		who := make([]int, size)
		draw := func() *schemas.Batch {
			for i := range who {
				who[i] = rng.IntN(people)
			}
			return c.fill(who)
		}
		measure := func(b *testing.B, resolve func(batch *schemas.Batch)) {
			b.Helper()
			count, used := 0, time.Duration(0)
			for range b.N {
				batch := draw()
				at := cpu()
				resolve(batch)
				used += cpu() - at
				for _, e := range batch.Events {
					count += len(e.Identifiers)
				}
			}
			b.ReportMetric(float64(used.Nanoseconds())/float64(count), "cpu-ns/identifier")
			b.ReportMetric(0, "ns/op")
		}
		name := fmt.Sprintf("identifiers=%d/", identifiers)
		b.Run(name+"map", func(b *testing.B) {
			t := &textbook{ids: map[string]uint32{}}
			before := heap()
			for from := 0; from < 2*people; from += size {
				for i := range who {
					who[i] = (from + i) / 2
				}
				for _, e := range c.fill(who).Events {
					t.resolve(e)
				}
			}
			used := heap() - before
			sum := uint32(0)
			measure(b, func(batch *schemas.Batch) {
				for _, e := range batch.Events {
					sum += t.resolve(e)
				}
			})
			b.ReportMetric(float64(used)/float64(len(t.parents)), "B/identifier")
			runtime.KeepAlive(t)
		})
		space, err := slab.NewSpace(slab.Config{})
		if err != nil {
			b.Fatal(err)
		}
		s := New(DefaultRules(), []byte("bench"), space, prometheus.NewRegistry())
		longest := c.populate(b, s, people)
		b.Run(name+"resolve", func(b *testing.B) {
			sum := uint32(0)
			measure(b, func(batch *schemas.Batch) { sum += s.resolve(batch) })
			core := newCore(b, s)
			b.ReportMetric(core, "B/identifier")
		})
		b.Run(name+"stage", func(b *testing.B) {
			measure(b, func(batch *schemas.Batch) { apply(b, s, batch) })
			s.saved()
			b.ReportMetric(float64(space.Bytes())/float64(s.g.nodes.Len()), "B/identifier")
			b.ReportMetric(float64(longest.Microseconds())/1000, "ms-longest-event")
		})
		if err := space.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// resolve finds the groups of a batch's events and does nothing else: what a stage does at least for identifiers that it knows.
func (s *Stage) resolve(batch *schemas.Batch) (sum uint32) {
	r := &s.ready
	r.events = batch.Events
	s.prepare(0, len(batch.Events))
	for from := 0; from < len(batch.Events); from += warmEvents {
		to := min(from+warmEvents, len(batch.Events))
		forms := r.forms[r.starts[from]:r.starts[to]]
		for i := range forms {
			sum += s.g.nodes.At(forms[i].id).parent
		}
		for i := range forms {
			sum += s.g.root(forms[i].id)
		}
	}
	return sum
}

// newCore makes an index and nodes alone of a stage's identifiers, and gives their bytes by identifier.
func newCore(b *testing.B, s *Stage) float64 {
	b.Helper()
	space, err := slab.NewSpace(slab.Config{})
	if err != nil {
		b.Fatal(err)
	}
	defer space.Close()
	index, nodes := slab.NewIndex(space), slab.NewSlab[node](space)
	for id := 1; id < s.g.nodes.Len(); id++ {
		index.Put(slab.Print{Hash: slab.Hash64(uint64(id)), Check: uint32(id)}, uint32(id))
		nodes.Append(node{})
	}
	return float64(space.Bytes()) / float64(s.g.nodes.Len()-1)
}

// cpu is the processor time that this process has used: on a shared machine it says more than the clock on the wall.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// threadCPU is the same of the thread that calls it, which a busy machine does not lengthen.
func threadCPU() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		panic(err)
	}
	return time.Duration(t.Nano())
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkGiant applies events of known people who are all one, beside events of people who are not. What a person's size costs is the
// difference.
func BenchmarkGiant(b *testing.B) {
	const identifiers, size = 1_000_000, 10_000
	rules, err := parseRules([]byte("namespaces: {crm_id: {class: personal, priority: 1}, anonymous_id: {class: shared, priority: 7}}"))
	if err != nil {
		b.Fatal(err)
	}
	for name, hub := range map[string]func(i int) int{"uniform": func(i int) int { return i / 4 }, "giant": func(int) int { return 0 }} {
		b.Run(name, func(b *testing.B) {
			s := New(rules, []byte("bench"), nil, prometheus.NewRegistry())
			events := make([]schemas.Event, size)
			batch := &schemas.Batch{}
			fill := func(who func(i int) int) {
				batch.Reset()
				for i := range events {
					e, p := &events[i], who(i)
					*e = schemas.Event{ID: "event", Time: schemas.Day * 20_000, Identifiers: e.Identifiers[:0]}
					e.Identify("crm_id", fmt.Sprint("c", hub(p)))
					e.Identify("anonymous_id", fmt.Sprint("a", p))
					batch.Events = append(batch.Events, e)
				}
			}
			for from := 0; from < identifiers; from += size {
				fill(func(i int) int { return from + i })
				apply(b, s, batch)
			}
			s.saved()
			rng := rand.New(rand.NewPCG(1, 1))
			used := time.Duration(0)
			for range b.N {
				fill(func(int) int { return rng.IntN(identifiers) })
				at := cpu()
				apply(b, s, batch)
				used += cpu() - at
			}
			b.ReportMetric(float64(used.Nanoseconds())/float64(b.N*size), "cpu-ns/event")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkUnion unites groups at random until few are left: the union itself, with its lists and counts.
func BenchmarkUnion(b *testing.B) {
	const identifiers = 1 << 20
	rng := rand.New(rand.NewPCG(1, 1))
	unions, used := 0, time.Duration(0)
	for range b.N {
		g := newGraph([]byte("bench"), nil)
		g.nodes.Extend(identifiers)
		g.rows.Extend(identifiers)
		for id := range uint32(identifiers) {
			n := g.nodes.At(id)
			n.parent, n.next = id, id
		}
		pairs := make([][2]uint32, identifiers/2)
		for i := range pairs { // near each other, as they come: people's identifiers are seen together
			a := 1 + rng.Uint32N(identifiers-1)
			pairs[i] = [2]uint32{a, min(identifiers-1, a+rng.Uint32N(8))}
		}
		at := cpu()
		for _, p := range pairs {
			if x, y := g.root(p[0]), g.root(p[1]); x != y {
				g.unite(x, y)
				unions++
			}
		}
		used += cpu() - at
	}
	b.ReportMetric(float64(used.Nanoseconds())/float64(b.N*identifiers/2), "cpu-ns/pair")
	b.ReportMetric(float64(unions)/float64(b.N), "unions")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkUnmerge retracts a link of a person with many identifiers and has it seen again: both fold the whole person anew.
func BenchmarkUnmerge(b *testing.B) {
	rules, err := parseRules([]byte("namespaces: {crm_id: {class: personal, priority: 1}, anonymous_id: {class: shared, priority: 7}}"))
	if err != nil {
		b.Fatal(err)
	}
	for _, size := range []int{10, 1_000, 30_000} {
		b.Run(fmt.Sprintf("identifiers=%d", size), func(b *testing.B) {
			s := New(rules, []byte("bench"), nil, prometheus.NewRegistry())
			event := func(kind schemas.CommandKind, i int) *schemas.Batch {
				e := &schemas.Event{ID: "event", Time: schemas.Day * 20_000, Command: schemas.Command{Kind: kind}}
				e.Identify("crm_id", "hub")
				e.Identify("anonymous_id", fmt.Sprint("a", i))
				return &schemas.Batch{Events: []*schemas.Event{e}}
			}
			for i := range size - 1 {
				apply(b, s, event(schemas.CommandNone, i))
			}
			used := time.Duration(0)
			for i := range b.N {
				at := cpu()
				apply(b, s, event(schemas.CommandRetract, i%(size-1)))
				apply(b, s, event(schemas.CommandNone, i%(size-1)))
				used += cpu() - at
				s.saved()
			}
			b.ReportMetric(float64(used.Microseconds())/1000/float64(2*b.N), "cpu-ms/fold")
			b.ReportMetric(0, "ns/op")
		})
	}
}
