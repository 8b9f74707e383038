package shoppers

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// Truth tells the truth about what was simulated so far; after the last record, about everything.
// It is a copy that further calls of Next do not change, but for the events, which it shares.
func (g *Generator) Truth() *Truth {
	t := &Truth{
		Seed: g.cfg.Seed, Start: time.UnixMilli(g.start).UTC(), End: time.UnixMilli(g.end).UTC(), Currency: g.cfg.Currency,
		Counts: g.book.counts(), Persons: make([]Person, 0, len(g.shoppers)), events: g.book.events,
	}
	cluster := 0
	for i := range g.shoppers {
		p, s := g.person(i), &g.shoppers[i]
		t.Persons = append(t.Persons, Person{
			Index: i, Region: regions[p.region].code, Registered: s.signedUp, Household: p.household,
			Events: int(s.events), Identified: int(s.identified),
			Web: s.spending[channelWeb].sales(), App: s.spending[channelApp].sales(), Store: s.spending[channelStore].sales(),
		})
		cluster = t.addIdentifiers(&p, s, cluster)
		g.addCarts(t, &p, s)
	}
	g.addStrangers(t)
	return t
}

// addIdentifiers lists what was seen of a person, and returns the next free number of a cluster.
func (t *Truth) addIdentifiers(p *person, s *shopper, next int) int {
	var numbers [slots]int
	for i := slot(0); i < slots; i++ {
		if s.seen&(1<<i) == 0 {
			continue
		}
		root := s.root(i)
		if numbers[root] == 0 {
			next++
			numbers[root] = next
		}
		t.Identifiers = append(t.Identifiers, Identifier{
			Namespace: i.namespace(), Value: string(p.append(nil, i)), Owner: OwnerPerson, Person: p.index, Cluster: numbers[root] - 1,
		})
	}
	return next
}

func (g *Generator) addCarts(t *Truth, p *person, s *shopper) {
	for i := range s.carts {
		c := &s.carts[i]
		if c.n == 0 {
			continue
		}
		owner := s.owner(i)
		known := s.lastPurchase < c.opened
		for other := range s.carts {
			if other != i && s.carts[other].n > 0 && s.root(s.owner(other)) == s.root(owner) {
				known = false
			}
		}
		amount := int64(0)
		for _, l := range c.lines[:c.n] {
			amount += g.catalog[l.product].price * int64(l.quantity)
		}
		t.Carts = append(t.Carts, Cart{
			Person: p.index, Namespace: owner.namespace(), Value: string(p.append(nil, owner)),
			Last: time.UnixMilli(c.last).UTC(), Units: c.units(), Amount: string(appendCents(nil, amount)), Known: known,
		})
	}
}

// addStrangers lists the identifiers that are no one person's.
func (g *Generator) addStrangers(t *Truth) {
	add := func(namespace, value, owner string, persons []int) {
		t.Identifiers = append(t.Identifiers, Identifier{Namespace: namespace, Value: value, Owner: owner, Person: -1, Persons: persons, Cluster: -1})
	}
	for _, home := range slices.Sorted(maps.Keys(g.book.households)) {
		var persons []int
		for i := home * householdSize; i < min((home+1)*householdSize, len(g.shoppers)); i++ {
			persons = append(persons, i)
		}
		add("anonymous_id", string(g.appendShared(nil, home)), OwnerShared, persons)
	}
	for _, store := range slices.Sorted(maps.Keys(g.book.kiosks)) {
		add("anonymous_id", string(appendKiosk(nil, store)), OwnerKiosk, nil)
	}
	for _, bot := range slices.Sorted(maps.Keys(g.book.bots)) {
		add("anonymous_id", string(g.appendBot(nil, bot)), OwnerBot, nil)
	}
	placeholders := slices.SortedFunc(maps.Keys(g.book.placeholders), func(a, b [2]string) int {
		return strings.Compare(a[0]+" "+a[1], b[0]+" "+b[1])
	})
	for _, p := range placeholders {
		add(p[0], p[1], OwnerPlaceholder, nil)
	}
}

func (s sums) sales() Sales {
	return Sales{
		Orders: int(s.orders), Refunds: int(s.refunds), Net: string(appendCents(nil, s.net)), Gross: string(appendCents(nil, s.gross)),
		NetIdentified: string(appendCents(nil, s.netIdentified)),
	}
}

func (b *ledger) counts() Counts {
	c := Counts{
		Records: map[string]int{}, Bytes: map[string]int{}, ByType: map[string]int{}, ByFormat: map[string]int{},
		Late: int(b.late), Duplicates: int(b.duplicates), Resent: int(b.resent), Malformed: map[string]map[string]int{},
		Training: int(b.training), Framed: int(b.framed), CloudEvents: int(b.cloudEvents), Placeholders: int(b.placeholder), Fillers: int(b.fillers),
		Shared: int(b.shared), Kiosk: int(b.kiosk), Bot: int(b.bot), Skewed: int(b.skewed),
		HumanOpens: int(b.humanOpens), MachineOpens: int(b.machine),
		Web: b.spent[channelWeb].sales(), App: b.spent[channelApp].sales(), Store: b.spent[channelStore].sales(),
	}
	for topic, n := range b.records {
		c.Records[topic], c.Bytes[topic] = int(n), int(b.bytes[topic])
	}
	for k, n := range b.kinds {
		if n == 0 {
			continue
		}
		wire, canonical := kind(k).names()
		c.ByFormat[wire] += int(n)
		c.ByType[canonical] += int(n)
		c.Events += int(n)
	}
	for topic, reasons := range b.malformed {
		c.Malformed[topic] = map[string]int{}
		for reason, n := range reasons {
			c.Malformed[topic][reason] = int(n)
		}
	}
	return c
}
