package stitch

import (
	"fmt"
	"slices"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seamline/seamline/schemas"
)

func TestReport(t *testing.T) {
	t.Parallel()
	s := New(DefaultRules(), []byte("key"), nil, prometheus.NewRegistry())
	b := &schemas.Batch{Number: 1}
	add := func(ids ...schemas.Identifier) {
		n := len(b.Events) + 1
		b.Events = append(b.Events, &schemas.Event{ID: fmt.Sprint("e", n), Time: schemas.Time(n) * schemas.Minute, Identifiers: ids, Record: &schemas.Record{}})
	}
	id := func(ns, value string) schemas.Identifier { return schemas.Identifier{Namespace: ns, Value: value} }
	add(id("user_id", "u1"), id("device_id", "d1"))
	add(id("user_id", "u2"), id("device_id", "d1"))
	add(id("device_id", "d2"), id("user_id", "u1"))
	add(id("kiosk_id", "k1"))
	add(id("user_id", "null"), id("ip", "192.0.2.1"))
	if err := s.Begin(b); err != nil {
		t.Fatal(err)
	}
	var m schemas.Moment
	for _, e := range b.Events {
		m.Event, m.Touched = e, m.Touched[:0]
		if err := s.Step(b, &m); err != nil {
			t.Fatal(err)
		}
	}
	names := map[IdentifierName]uint32{}
	for _, value := range []string{"u1", "u2", "u3"} {
		hash, _ := DefaultRules().Hash([]byte("key"), "user_id", value)
		names[IdentifierName{"user_id", hash}] = 0
	}
	s.Find(names)
	ids := []uint32{}
	for _, id := range names {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	if !slices.Equal(ids, []uint32{0, 1, 3}) {
		t.Errorf("found %v", ids)
	}
	if row := s.Identifier(2); row.Namespace != "device_id" || row.Display != "d1" || row.ID != 2 {
		t.Errorf("identifier 2: %+v", row)
	}
	p := b.Events[0].Profile
	if got := s.Members(p, 10); !slices.Equal(got, []uint32{1, 2, 4}) || s.Founder(p) != 1 {
		t.Errorf("members %v, founder %d", got, s.Founder(p))
	}
	if got := s.Members(p, 1); len(got) != 1 {
		t.Errorf("one member: %v", got)
	}
	if s.Group(2) != p || s.Group(3) == p || s.Group(3) == 0 {
		t.Errorf("groups %d and %d", s.Group(2), s.Group(3))
	}
	identifiers, links := s.Size()
	for id := uint32(5); int(id) <= identifiers; id++ {
		if s.Group(id) != 0 {
			t.Errorf("%s has a group", s.Identifier(id).Namespace)
		}
	}
	if links != 3 || len(s.Members(b.Events[3].Profile, 10)) != 0 {
		t.Errorf("%d links; the kiosk's session has members %v", links, s.Members(b.Events[3].Profile, 10))
	}
	var joined []uint32
	s.Joined(2, func(other uint32, at schemas.Time) { joined = append(joined, other, uint32(at/schemas.Minute)) })
	if !slices.Equal(joined, []uint32{1, 1}) {
		t.Errorf("joined %v: the refused link must not be there", joined)
	}
}

func TestStandIn(t *testing.T) {
	t.Parallel()
	rules, err := parseRules([]byte("namespaces:\n  mobile: {class: personal, priority: 4, normalise: phone}\n  badge: {class: personal, priority: 4, normalise: code}\n"))
	if err != nil {
		t.Fatal(err)
	}
	shipped := DefaultRules()
	for _, namespace := range []string{"email", "phone", "user_id", "loyalty_id", "device_id", "anonymous_id", "card", "badge", "anything"} {
		seen := map[[16]byte]bool{}
		for n := uint64(1); n <= 3000; n++ {
			hash, ok := rules.Hash([]byte("k"), namespace, rules.StandIn(shipped, namespace, n))
			other, fine := shipped.Hash([]byte("k"), namespace, rules.StandIn(shipped, namespace, n))
			if !ok || !fine || seen[hash] || hash != other && namespace != "badge" {
				t.Fatalf("%s %d: %v, %v, seen %v", namespace, n, ok, fine, seen[hash])
			}
			seen[hash] = true
		}
	}
}
