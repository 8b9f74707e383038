package pipeline_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/seamline/seamline/schemas"
)

// oracle knows what must be in the tables from what was published, and nothing of how Seamline comes to it.
type oracle struct {
	traffic *traffic
	tables  *tables
	wrong   []string
	events  map[string][]eventRow // by id
}

// eventRow is what the oracle reads of a row of events.
type eventRow struct {
	ID        string `json:"id"`
	Amount    money  `json:"amount"`
	ProfileID string
	Revenue   money
	place     place
}

// profileRow, changeRow and memberRow are what it reads of others.
type profileRow struct {
	Merged  bool
	Events  int
	Revenue money
}

type changeRow struct {
	Audience  string
	Sequence  uint64
	ProfileID string
	Enter     bool
}

type memberRow struct{ Member bool }

// money is an amount as it stands in a table.
type money schemas.Decimal

// UnmarshalText reads what the tables hold.
func (m *money) UnmarshalText(text []byte) error {
	d, err := schemas.ParseDecimal(string(text))
	*m = money(d)
	return err
}

func (o *oracle) wrongf(format string, args ...any) {
	o.wrong = append(o.wrong, fmt.Sprintf(format, args...))
}

// check compares the tables with the traffic, and with those of the calm processes.
func (w *world) check(rewritten, rebuilt *tables) []string {
	o := &oracle{traffic: w.traffic, tables: w.tables}
	o.all()
	wrong := append(slices.Clone(w.tables.wrong), o.wrong...)
	others := map[string]*tables{"a replay of the intents": rewritten}
	if !w.isLive {
		// Records that come while the line runs may come too late for the canonical order.
		others["a rebuild with other batches"] = rebuilt
	}
	for name, other := range others {
		for _, table := range comparedTables {
			if got, want := w.tables.text(table), other.text(table); got != want {
				wrong = append(wrong, fmt.Sprintf("%s gives other rows of %s:\n%s", name, table, difference(got, want)))
			}
		}
	}
	o = &oracle{traffic: w.traffic, tables: rebuilt}
	o.all()
	for _, problem := range o.wrong {
		wrong = append(wrong, "rebuild: "+problem)
	}
	slices.Sort(wrong)
	return wrong
}

// difference gives the first line in which two texts differ.
func difference(got, want string) string {
	a, b := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range max(len(a), len(b)) {
		var x, y string
		if i < len(a) {
			x = a[i]
		}
		if i < len(b) {
			y = b[i]
		}
		if x != y {
			return "here  " + x + "\nthere " + y
		}
	}
	return ""
}

// all holds everything against the traffic.
func (o *oracle) all() {
	o.readEvents()
	o.checkEvents()
	o.checkLetters()
	o.checkPositions()
	o.checkRevenue()
	if !o.traffic.hasShared {
		o.checkPeople()
	}
	o.checkAudiences()
}

func (o *oracle) readEvents() {
	o.events = map[string][]eventRow{}
	for _, s := range o.tables.rows["events"] {
		var e eventRow
		if err := json.Unmarshal([]byte(s.value), &e); err != nil {
			o.wrongf("event %s: %v", s.key, err)
			continue
		}
		if _, err := fmt.Sscanf(s.key, "%d/%d/%d", &e.place.partition, &e.place.offset, &e.place.element); err != nil {
			o.wrongf("event %s: %v", s.key, err)
		}
		o.events[e.ID] = append(o.events[e.ID], e)
	}
}

// facts gives every event once, with the places where it stands.
func (o *oracle) facts() (list []*fact, places map[string][]place) {
	places = map[string][]place{}
	for _, m := range o.traffic.messages {
		for i, f := range m.events {
			if places[f.id] == nil {
				list = append(list, f)
			}
			places[f.id] = append(places[f.id], place{m.partition, m.offset, i})
		}
	}
	return list, places
}

// checkEvents: every event has one row, at one of its places, with its amount; even where versions of rows do not count.
func (o *oracle) checkEvents() {
	facts, places := o.facts()
	for _, f := range facts {
		rows := o.events[f.id]
		if len(rows) != 1 {
			o.wrongf("%s has %d rows", f.id, len(rows))
			continue
		}
		if !slices.Contains(places[f.id], rows[0].place) {
			o.wrongf("%s is said to stand at %v, and stands at %v", f.id, rows[0].place, places[f.id])
		}
		if f.kind != "" && f.amount != schemas.Decimal(rows[0].Amount) {
			o.wrongf("%s has amount %s, and was published with %s", f.id, schemas.Decimal(rows[0].Amount), f.amount)
		}
	}
	if len(o.events) != len(facts) {
		o.wrongf("%d events have rows, and %d were published", len(o.events), len(facts))
	}
}

// checkLetters: every record that cannot be read has one dead letter.
func (o *oracle) checkLetters() {
	var want, got []string
	for _, m := range o.traffic.messages {
		if m.isBroken {
			want = append(want, fmt.Sprintf("%d/%d/0", m.partition, m.offset))
		}
	}
	for _, s := range o.tables.rows["dead_letters"] {
		got = append(got, s.key)
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		o.wrongf("dead letters of %v, and broken are %v", got, want)
	}
}

// checkPositions: the batches' ranges leave no gap, overlap nowhere, and end where the topic does.
func (o *oracle) checkPositions() {
	next, ends := map[int32]int64{}, map[int32]int64{}
	for _, m := range o.traffic.messages {
		ends[m.partition] = max(ends[m.partition], m.offset+1)
	}
	batches := o.tables.rows["commits"]
	sorted(batches, func(a, b stored) bool { return a.batch < b.batch })
	for i, s := range batches {
		if s.key != fmt.Sprint(i+1) {
			o.wrongf("batch %s is where batch %d should be", s.key, i+1)
		}
		for _, text := range rangesOf(s.value) {
			var partition int32
			var from, to int64
			if _, err := fmt.Sscanf(text, "clickstream %d %d %d", &partition, &from, &to); err != nil {
				o.wrongf("batch %s: %v", s.key, err)
			}
			if from != next[partition] {
				o.wrongf("batch %s begins at offset %d of partition %d, where %d comes next", s.key, from, partition, next[partition])
			}
			next[partition] = to
		}
	}
	for partition, end := range ends {
		if next[partition] != end {
			o.wrongf("partition %d was read up to %d, and ends at %d", partition, next[partition], end)
		}
	}
}

// rangesOf gives the ranges in a row of commits.
func rangesOf(value string) []string {
	var c commit
	if err := json.Unmarshal([]byte(value), &c); err != nil {
		return []string{err.Error()}
	}
	inner := strings.Trim(c.Ranges, "[]{}")
	if inner == "" {
		return nil
	}
	return strings.Split(inner, "} {")
}

// checkRevenue: the changes of revenue add up to the orders less what was taken back.
func (o *oracle) checkRevenue() {
	got, want := map[string]schemas.Decimal{}, o.orders()
	facts, _ := o.facts()
	for _, f := range facts {
		for _, r := range o.events[f.id] {
			got[f.order] += schemas.Decimal(r.Revenue)
		}
	}
	for order, revenue := range got {
		if revenue != want[order] {
			o.wrongf("%q brought %s, and should have brought %s", order, revenue, want[order])
		}
	}
}

// orders gives what each order brought.
func (o *oracle) orders() map[string]schemas.Decimal {
	brought, ended := map[string]schemas.Decimal{}, map[string]bool{}
	facts, _ := o.facts()
	for _, f := range facts {
		switch f.kind {
		case "order":
			brought[f.order] += f.amount
		case "refund":
			brought[f.order] -= f.amount
		case "cancel":
			ended[f.order] = true
		}
	}
	for order := range ended {
		brought[order] = 0
	}
	return brought
}

// person is one person as the oracle sees them.
type person struct {
	ids     map[string]bool // profile ids, as they resolve now
	events  int
	revenue schemas.Decimal
	counted map[string]bool // orders
}

// people finds who is who by joining all identifiers that ever stood together.
func (o *oracle) people() map[string]*person {
	parent := map[string]string{}
	var root func(string) string
	root = func(i string) string {
		if parent[i] == "" || parent[i] == i {
			parent[i] = i
			return i
		}
		parent[i] = root(parent[i])
		return parent[i]
	}
	facts, _ := o.facts()
	for _, f := range facts {
		for _, i := range f.identifiers[1:] {
			parent[root(i)] = root(f.identifiers[0])
		}
	}
	people, orders := map[string]*person{}, o.orders()
	for _, f := range facts {
		r := root(f.identifiers[0])
		p := people[r]
		if p == nil {
			p = &person{ids: map[string]bool{}, counted: map[string]bool{}}
			people[r] = p
		}
		p.events++
		if f.order != "" && !p.counted[f.order] {
			p.counted[f.order] = true
			p.revenue += orders[f.order]
		}
		for _, row := range o.events[f.id] {
			p.ids[o.resolve(row.ProfileID)] = true
		}
	}
	return people
}

// resolve gives the id that a profile goes by now.
func (o *oracle) resolve(id string) string {
	if value, known := o.tables.final("profile_aliases")[id]; known {
		var alias struct{ ProfileID string }
		if err := json.Unmarshal([]byte(value), &alias); err != nil {
			o.wrongf("alias %s: %v", id, err)
		}
		return alias.ProfileID
	}
	return id
}

// checkPeople: profiles are people, no more and no less, with all their events and revenue.
func (o *oracle) checkPeople() {
	living := map[string]profileRow{}
	for id, value := range o.tables.final("profiles") {
		var p profileRow
		if err := json.Unmarshal([]byte(value), &p); err != nil {
			o.wrongf("profile %s: %v", id, err)
		}
		if !p.Merged {
			living[id] = p
		}
	}
	people := o.people()
	if len(living) != len(people) {
		o.wrongf("there are %d profiles and %d people", len(living), len(people))
	}
	for name, who := range people {
		if len(who.ids) != 1 {
			o.wrongf("%s has profiles %v", name, who.ids)
			continue
		}
		for id := range who.ids {
			p, known := living[id]
			if !known || p.Events != who.events || schemas.Decimal(p.Revenue) != who.revenue {
				o.wrongf("%s: profile %s (%v) has %d events and revenue %s, and should have %d and %s", name, id, known, p.Events, schemas.Decimal(p.Revenue), who.events, who.revenue)
			}
		}
	}
}

// checkAudiences: changes are numbered without a gap, entries and exits alternate, and who has entered and not left is a member.
func (o *oracle) checkAudiences() {
	changes, numbers := map[string][]changeRow{}, map[string]bool{}
	for _, s := range o.tables.rows["audience_changes"] {
		var c changeRow
		if err := json.Unmarshal([]byte(s.value), &c); err != nil {
			o.wrongf("change %s: %v", s.key, err)
		}
		if numbers[s.key] {
			o.wrongf("change %s is there twice", s.key)
		}
		numbers[s.key] = true
		changes[c.Audience] = append(changes[c.Audience], c)
	}
	members := map[string]bool{}
	for name, list := range changes {
		sorted(list, func(a, b changeRow) bool { return a.Sequence < b.Sequence })
		for i, c := range list {
			key := name + "/" + c.ProfileID
			if c.Sequence != uint64(i+1) {
				o.wrongf("change %d of %s has number %d", i+1, name, c.Sequence)
			}
			if members[key] == c.Enter {
				o.wrongf("change %s of %s: enter is %s, and it was so before", strconv.Itoa(i+1), key, strconv.FormatBool(c.Enter))
			}
			members[key] = c.Enter
		}
	}
	for key, value := range o.tables.final("audience_members") {
		var m memberRow
		if err := json.Unmarshal([]byte(value), &m); err != nil {
			o.wrongf("member %s: %v", key, err)
		}
		if m.Member != members[key] {
			o.wrongf("%s: member is %t, and the changes say %t", key, m.Member, members[key])
		}
		delete(members, key)
	}
	for key, isMember := range members {
		if isMember {
			o.wrongf("%s entered, and is no member", key)
		}
	}
}
