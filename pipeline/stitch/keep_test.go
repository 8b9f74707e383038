package stitch

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seamline/seamline/pipeline/slab"
	"github.com/seamline/seamline/schemas"
)

// entries is a store in memory. It refuses the write number failAt, counted from 1.
type entries struct {
	list   [][2][]byte
	failAt int
}

var errDisk = errors.New("disk")

func (e *entries) Put(key, value []byte) error {
	if e.failAt--; e.failAt == 0 {
		return errDisk
	}
	e.list = append(e.list, [2][]byte{bytes.Clone(key), bytes.Clone(value)})
	return nil
}

func (e *entries) Delete([]byte) error           { return errors.ErrUnsupported }
func (e *entries) DeleteRange(_, _ []byte) error { return errors.ErrUnsupported }
func (e *entries) Each(f func(k, v []byte) error) error {
	last := map[string][]byte{}
	var keys []string
	for _, entry := range e.list {
		if _, known := last[string(entry[0])]; !known {
			keys = append(keys, string(entry[0]))
		}
		last[string(entry[0])] = entry[1]
	}
	slices.Sort(keys)
	for _, key := range keys {
		if err := f([]byte(key), last[key]); err != nil {
			return err
		}
	}
	return nil
}

// TestSaveWritesChangesOnceInOrder: two stages with the same events write the same entries in the same order, each once, and the next
// Save writes nothing again. A Save that failed is done again in full.
func TestSaveWritesChangesOnceInOrder(t *testing.T) {
	t.Parallel()
	rng := newSeed(t)
	lines := randomLines(rng, 400)
	a, b := tell(t, ""), tell(t, "")
	a.play(lines...)
	for _, line := range lines {
		b.play(line)
	}
	failing := &entries{failAt: 50}
	if err := b.stage.Save(failing); !errors.Is(err, errDisk) {
		t.Fatalf("a failing store gives error %v", err)
	}
	var one, two entries
	for s, e := range map[*story]*entries{a: &one, b: &two} {
		if err := s.stage.Save(e); err != nil {
			t.Fatal(err)
		}
	}
	if fmt.Sprint(one.list) != fmt.Sprint(two.list) {
		t.Errorf("the same state gives %d and %d entries that differ", len(one.list), len(two.list))
	}
	if !slices.IsSortedFunc(one.list[:len(one.list)], func(x, y [2][]byte) int { return bytes.Compare(x[0], y[0]) }) {
		t.Error("the entries are not in the order of their keys")
	}
	before := len(one.list)
	if err := a.stage.Save(&one); err != nil || len(one.list) != before+1 {
		t.Errorf("a second Save wrote %d entries, %v; want the position alone", len(one.list)-before, err)
	}
	a.play("500 user_id:known")
	before = len(one.list)
	a.play("501 user_id:known")
	if err := a.stage.Save(&one); err != nil || len(one.list) > before+5 {
		t.Errorf("one new person wrote %d entries, %v; want identifier, its print, leaf, profile and position", len(one.list)-before, err)
	}
}

// TestLoadRefusesWhatIsWrong: entries that cannot be are an error, and never a panic.
func TestLoadRefusesWhatIsWrong(t *testing.T) {
	t.Parallel()
	rng := newSeed(t)
	s := tell(t, "")
	s.play(randomLines(rng, 25)...)
	var whole entries
	if err := s.stage.Save(&whole); err != nil {
		t.Fatal(err)
	}
	load := func(e *entries) error {
		return New(DefaultRules(), []byte("test"), nil, prometheus.NewRegistry()).Load(e)
	}
	if err := load(&whole); err != nil {
		t.Fatalf("what was saved does not load: %v", err)
	}
	if err := s.stage.Load(&whole); !errors.Is(err, errUsed) {
		t.Errorf("loading into a used stage gives error %v", err)
	}
	for i, entry := range whole.list {
		kind := entry[0][0]
		for name, wrong := range map[string][2][]byte{
			"a longer key": {append(bytes.Clone(entry[0]), 1), entry[1]}, "no value": {entry[0], nil}, "an unknown kind": {{'z'}, entry[1]},
		} {
			e := &entries{list: slices.Clone(whole.list)}
			e.list[i] = wrong
			if err := load(e); !errors.Is(err, errEntry) && !(name == "no value" && (kind == keyClaims || kind == keyName)) {
				t.Errorf("entry %x with %s: error %v", entry[0], name, err)
			}
		}
		// Any bit may be wrong: what comes out is an error, or a graph that can be read.
		e := &entries{list: slices.Clone(whole.list)}
		value := bytes.Clone(entry[1])
		value[rng.IntN(len(value))] ^= 1 << rng.IntN(8)
		e.list[i][1] = value
		if err := load(e); err != nil && !errors.Is(err, errEntry) && !(kind == keyName && errors.Is(err, errRules)) {
			t.Errorf("entry %x with a wrong bit: error %v", entry[0], err)
		}
	}
	far := entries{list: slices.Clone(whole.list)}
	far.list = append(far.list, [2][]byte{binary.BigEndian.AppendUint32([]byte{keyLink}, 1<<31), make([]byte, linkBytes)})
	if err := load(&far); !errors.Is(err, errEntry) || !strings.Contains(err.Error(), "load identity graph") {
		t.Errorf("a link of an unknown identifier gives error %v", err)
	}
}

// TestRulesThatChangeWhatLinks: a state is not read under rules that have other identifiers link than those that it was made by.
func TestRulesThatChangeWhatLinks(t *testing.T) {
	t.Parallel()
	s := tell(t, "")
	s.play("1 user_id:u device_id:d", "2 ip:1.2.3.4 user_id:u")
	var saved entries
	if err := s.stage.Save(&saved); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]error{
		"": nil,
		"namespaces: {device_id: {class: personal, priority: 2, limit: 1}}":          nil,
		"namespaces: {device_id: {class: evidence, priority: 9}}":                    errRules,
		"namespaces: {ip: {class: shared, priority: 9, limit: 5, normalise: lower}}": errRules,
	} {
		rules, err := parseRules([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		err = New(rules, []byte("test"), nil, prometheus.NewRegistry()).Load(&saved)
		if !errors.Is(err, want) || err != nil && !strings.Contains(err.Error(), "replay --from-start") {
			t.Errorf("under %q: error %v, want %v", text, err, want)
		}
	}
}

// TestClaimsAgainstList: claims in any order of time equal a plain sorted list, also where the oldest are forgotten.
func TestClaimsAgainstList(t *testing.T) {
	t.Parallel()
	rng := newSeed(t)
	for range 20 {
		g := newGraph([]byte("test"), nil)
		times := 1 + rng.Int64N(2000)
		g.nodes.Extend(4)
		g.rows.Extend(4)
		model := make([][]claim, 4)
		for n := range 1500 {
			id, since, l := 1+rng.Uint32N(3), schemas.Time(rng.Int64N(times)-2), 1+rng.Uint32N(3)
			before := len(model[id])
			model[id] = claimInto(model[id], l, since)
			if got := g.claim(id, l, since); !got && len(model[id]) != before {
				t.Fatalf("claim %d of %d at %d is no news", n, l, since)
			}
			for check := uint32(1); check <= 3; check++ {
				list, at := model[check], schemas.Time(rng.Int64N(times+4)-4)
				k := len(list) - 1
				for k >= 0 && list[k].since > at {
					k--
				}
				got := g.claimAt(check, at)
				if (got == 0) != (k < 0) || got != 0 && g.claims.At(got).link != list[k].link || int(g.rows.At(check).claimCount) != len(list) {
					t.Fatalf("after %d claims identifier %d has claim %d at %d, want that of place %d", n, check, got, at, k)
				}
			}
		}
		if most := 3*claimsMax + 4; g.claims.Len() > most {
			t.Errorf("%d claims take memory, want at most %d", g.claims.Len(), most)
		}
	}
}

func claimInto(list []claim, l uint32, since schemas.Time) []claim {
	at := len(list)
	for at > 0 && list[at-1].since > since {
		at--
	}
	switch {
	case at > 0 && list[at-1].link == l:
		return list
	case at < len(list) && list[at].link == l:
		list[at].since = since
		return list
	}
	list = slices.Insert(list, at, claim{since: since, link: l})
	if len(list) > claimsMax {
		list = list[1:]
	}
	return list
}

// TestNamespacesAreBounded: a producer that invents namespaces fills neither memory nor the state.
func TestNamespacesAreBounded(t *testing.T) {
	t.Parallel()
	s := tell(t, "")
	s.keep()
	var lines []string
	room := namespacesMax - len(DefaultRules().names())
	for i := range room + 10 {
		lines = append(lines, fmt.Sprintf("%d invented%d:x", i, i))
	}
	ids := s.play(append(lines, "1 user_id:u", "2 invented7:x")...)
	if ids[room-1].IsZero() || !ids[room].IsZero() || ids[room+10].IsZero() || ids[room+11] != ids[7] {
		t.Error("not the namespaces beyond the most are refused")
	}
	if got := len(s.stage.g.names); got != namespacesMax {
		t.Errorf("%d namespaces are kept, want %d", got, namespacesMax)
	}
	s.restart()
	if got := s.play("3 invented7:x")[0]; got != ids[7] {
		t.Errorf("after a restart the person is %s, want %s", got, ids[7])
	}
	if got := s.play("4 " + strings.Repeat("n", 5000) + ":x")[0]; !got.IsZero() {
		t.Error("an endless name makes a namespace")
	}
}

// TestHeapDoesNotGrowWithPeople. It is not parallel, since it measures the heap of the process.
func TestHeapDoesNotGrowWithPeople(t *testing.T) {
	space, err := slab.NewSpace(slab.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer space.Close()
	s := New(DefaultRules(), []byte("test"), space, prometheus.NewRegistry())
	play := func(people int) uint64 {
		b := &schemas.Batch{}
		for i := range 2_000 {
			e := &schemas.Event{ID: "e", Time: schemas.Day * 20_000}
			e.Identify("user_id", fmt.Sprint("u", people+i))
			e.Identify("device_id", fmt.Sprint("device", people+i))
			b.Events = append(b.Events, e)
		}
		apply(t, s, b)
		if err := s.Save(&entries{}); err != nil {
			t.Fatal(err)
		}
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	first := play(0)
	for people := 2_000; people < 60_000; people += 2_000 {
		play(people)
	}
	if last := play(60_000); last > first+first/2+1<<20 || space.Bytes() < 60_000*200 {
		t.Errorf("the heap grew from %d to %d bytes, and the space to %d", first, last, space.Bytes())
	}
	runtime.KeepAlive(s)
}

func BenchmarkLoad(b *testing.B) {
	s := New(DefaultRules(), []byte("bench"), nil, prometheus.NewRegistry())
	rng := rand.New(rand.NewPCG(1, 1))
	const people = 100_000
	for from := 0; from < people; from += 10_000 {
		batch := &schemas.Batch{}
		for i := range 10_000 {
			e := &schemas.Event{ID: "e", Time: schemas.Day * 20_000}
			e.Identify("anonymous_id", fmt.Sprintf("5a1b0c6e-%012d", from+i))
			if rng.IntN(3) == 0 {
				e.Identify("email", fmt.Sprintf("customer-%d@example.com", from+i))
			}
			batch.Events = append(batch.Events, e)
		}
		apply(b, s, batch)
	}
	var e entries
	if err := s.Save(&e); err != nil {
		b.Fatal(err)
	}
	sorted := &sortedEntries{list: e.list}
	for b.Loop() {
		if err := New(DefaultRules(), []byte("bench"), nil, prometheus.NewRegistry()).Load(sorted); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(e.list))*float64(b.N)/b.Elapsed().Seconds(), "entries/s")
}

// sortedEntries gives entries that are in order already.
type sortedEntries struct{ list [][2][]byte }

func (e *sortedEntries) Each(f func(k, v []byte) error) error {
	for _, entry := range e.list {
		if err := f(entry[0], entry[1]); err != nil {
			return err
		}
	}
	return nil
}
