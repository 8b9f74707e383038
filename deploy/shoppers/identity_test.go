package shoppers

import (
	"slices"
	"strconv"
	"testing"
	"time"
)

func TestClustersAreWhatRecordsTie(t *testing.T) {
	t.Parallel()
	r, truth, _ := consume(t, untidy(t))
	owner := map[string]Identifier{}
	for _, id := range truth.Identifiers {
		owner[id.Namespace+" "+id.Value] = id
	}
	find := func(id string) string {
		for r.parent[id] != "" {
			id = r.parent[id]
		}
		return id
	}
	strange := 0
	for _, e := range r.events {
		first := ""
		for _, id := range e.ids {
			known, ok := owner[id]
			if !ok {
				if strange++; strange < 5 {
					t.Errorf("event %s %s carries %q, which truth does not list", e.format, e.id, id)
				}
				continue
			}
			if known.Owner != OwnerPerson {
				continue
			}
			if root := find(id); first == "" {
				first = root
			} else if root != first {
				r.parent[root] = first
			}
		}
	}
	clusters, roots := map[string]int{}, map[int]string{}
	for name, id := range owner {
		if id.Owner != OwnerPerson || id.Namespace == "pos_customer_id" {
			continue
		}
		root := find(name)
		if c, ok := clusters[root]; ok && c != id.Cluster {
			t.Fatalf("records tie %s to %s, truth has them in clusters %d and %d", name, root, id.Cluster, c)
		}
		if other, ok := roots[id.Cluster]; ok && other != root {
			t.Fatalf("truth has %s and %s in cluster %d, no records tie them", other, root, id.Cluster)
		}
		clusters[root], roots[id.Cluster] = id.Cluster, root
	}
}

func TestIdentifiersAreUnique(t *testing.T) {
	t.Parallel()
	c := DefaultConfig()
	c.Seed, c.Shoppers = *seedFlag, 60_000
	c.Duration = time.Second
	g := New(c)
	seen := map[string]int{}
	for i := range c.Shoppers {
		p := g.person(i)
		for s := slot(0); s < slots; s++ {
			if s >= slotDevice && s < slotDevice+devicesMax && int(s-slotDevice) >= p.deviceN {
				continue
			}
			value := s.namespace() + " " + string(p.append(nil, s))
			if other, ok := seen[value]; ok && other != i {
				t.Fatalf("persons %d and %d share %s", other, i, value)
			}
			seen[value] = i
		}
	}
	if len(usAreas)*10_000 < shoppersMax {
		t.Errorf("%d area codes are too few for %d shoppers", len(usAreas), shoppersMax)
	}
}

func TestJudge(t *testing.T) {
	t.Parallel()
	truth := &Truth{Identifiers: []Identifier{
		{"user_id", "a", OwnerPerson, 0, nil, 0}, {"email", "a", OwnerPerson, 0, nil, 0}, {"card", "a", OwnerPerson, 0, nil, 1},
		{"user_id", "b", OwnerPerson, 1, nil, 2}, {"email", "b", OwnerPerson, 1, nil, 2}, {"anonymous_id", "k", OwnerKiosk, -1, nil, -1},
	}}
	f := func(name string, groups map[string]string, want Accuracy) {
		t.Helper()
		got := truth.Judge(func(namespace, value string) (string, bool) {
			g, ok := groups[namespace+value]
			return g, ok
		})
		if got != want {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
	f("perfect", map[string]string{"user_ida": "1", "emaila": "1", "carda": "2", "user_idb": "3", "emailb": "3"},
		Accuracy{Pairs: 2, Right: 2, Knowable: 2, Found: 2, Precision: 1, Recall: 1})
	f("better than could be known", map[string]string{"user_ida": "1", "emaila": "1", "carda": "1", "user_idb": "3", "emailb": "3"},
		Accuracy{Pairs: 4, Right: 4, Knowable: 2, Found: 2, Precision: 1, Recall: 1})
	f("strangers glued", map[string]string{"user_ida": "1", "emaila": "1", "carda": "2", "user_idb": "1", "emailb": "1"},
		Accuracy{Pairs: 6, Right: 2, Knowable: 2, Found: 2, Precision: 1. / 3, Recall: 1})
	f("half found", map[string]string{"user_ida": "1", "emaila": "1", "carda": "2", "user_idb": "3"},
		Accuracy{Pairs: 1, Right: 1, Knowable: 2, Found: 1, Unknown: 1, Precision: 1, Recall: 0.5})
}

// TestCartsAreWhatRecordsLeaveOpen folds cart events and purchases in the order in which they happened.
func TestCartsAreWhatRecordsLeaveOpen(t *testing.T) {
	t.Parallel()
	f := func(name string, change func(*Config)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := untidy(t)
			change(&c)
			r, truth, _ := consume(t, c)
			checkCarts(t, r, truth)
		})
	}
	f("usual", func(*Config) {})
	f("busy", func(c *Config) {
		c.Shoppers, c.Duration, c.SessionsPerDay, c.VisitsPerDay = 25, 2*24*time.Hour, 60, 5
	})
}

func checkCarts(t *testing.T, r *reader, truth *Truth) {
	t.Helper()
	cluster := map[string]int{}
	for _, id := range truth.Identifiers {
		if id.Owner == OwnerPerson {
			cluster[id.Namespace+" "+id.Value] = id.Cluster
		}
	}
	slices.SortStableFunc(r.events, func(a, b read) int { return a.at.Compare(b.at) })
	carts := map[int]map[string]int{} // units of each article, by cluster
	for _, e := range r.events {
		at := -1
		for _, id := range e.ids {
			if c, ok := cluster[id]; ok {
				at = c
			}
		}
		if e.kind == "order" {
			delete(carts, at)
		}
		if e.quantity != 0 && carts[at] == nil {
			carts[at] = map[string]int{}
		}
		if e.quantity != 0 {
			carts[at][e.sku] = max(0, carts[at][e.sku]+e.quantity) // what a purchase took out cannot be taken out again
		}
	}
	units := func(at int) (n int) {
		for _, k := range carts[at] {
			n += k
		}
		return n
	}
	known, listed := 0, map[int]bool{}
	for _, c := range truth.Carts {
		at := cluster[c.Namespace+" "+c.Value]
		listed[at] = true
		if !c.Known {
			continue
		}
		known++
		if got := units(at); got != c.Units {
			t.Errorf("cart of %s %s holds %d units for the reader, truth says %d", c.Namespace, c.Value, got, c.Units)
		}
	}
	for at := range carts {
		if units(at) != 0 && !listed[at] {
			t.Errorf("reader has an open cart in cluster %d of %d units, truth has none", at, units(at))
		}
	}
	if known == 0 {
		t.Error("no open cart is known")
	}
}

func TestAbandoners(t *testing.T) {
	t.Parallel()
	end := time.Date(2026, 9, 2, 0, 0, 0, 0, time.UTC)
	truth := &Truth{Carts: []Cart{
		{Person: 1, Last: end.Add(-2 * time.Hour), Known: true}, {Person: 1, Last: end.Add(-3 * time.Hour), Known: true},
		{Person: 2, Last: end.Add(-10 * time.Minute), Known: true}, {Person: 3, Last: end.Add(-2 * time.Hour)},
	}}
	if got := truth.Abandoners(end, time.Hour); !slices.Equal(got, []int{1}) {
		t.Errorf("abandoners are %v, want person 1", got)
	}
}

func TestCartsAndStrangers(t *testing.T) {
	t.Parallel()
	_, truth, _ := consume(t, untidy(t))
	if len(truth.Abandoners(truth.End, time.Hour)) == 0 {
		t.Error("nobody has abandoned a cart")
	}
	owners := map[string]int{}
	for _, id := range truth.Identifiers {
		owners[id.Owner]++
		if (id.Owner == OwnerPerson) != (id.Person >= 0 && id.Cluster >= 0) {
			t.Errorf("identifier %+v contradicts itself", id)
		}
		if id.Owner == OwnerShared && len(id.Persons) < 2 {
			t.Errorf("shared identifier %+v has too few persons", id)
		}
	}
	for _, owner := range []string{OwnerPerson, OwnerShared, OwnerKiosk, OwnerPlaceholder, OwnerBot} {
		if owners[owner] == 0 {
			t.Errorf("no identifier of owner %s among %v", owner, owners)
		}
	}
}

func TestTimes(t *testing.T) {
	t.Parallel()
	r := rng{*seedFlag}
	for range 20_000 {
		ms := r.between(0, 4_102_444_800_000)
		want := time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z")
		if got := string(appendISO(nil, ms)); got != want {
			t.Fatalf("%d ms is %s, want %s", ms, got, want)
		}
	}
	if got := string(appendZoned(nil, 1767225600000)); got != "2025-12-31T19:00:00-05:00" {
		t.Errorf("zoned time is %s", got)
	}
}

func TestWriterEscapes(t *testing.T) {
	t.Parallel()
	f := func(s string) {
		t.Helper()
		var w writer
		w.str(s)
		if got, err := strconv.Unquote(string(w.b)); err != nil || got != s {
			t.Errorf("%q was written as %s: %v", s, w.b, err)
		}
	}
	f("")
	f(`plain`)
	f("quote \" backslash \\ newline \n ümlaut")
	f("\\\\\"\"")
	var w writer
	w.str("\x01")
	if string(w.b) != `"\u0001"` {
		t.Errorf("control character was written as %s", w.b)
	}
}
