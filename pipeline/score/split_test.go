package score_test

import (
	"bufio"
	"compress/gzip"
	"encoding/csv"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seamline/seamline/pipeline/dedup"
	"github.com/seamline/seamline/pipeline/score"
	"github.com/seamline/seamline/pipeline/stitch"
	"github.com/seamline/seamline/pipeline/timers"
	"github.com/seamline/seamline/schemas"
)

var splitSeed = flag.Uint64("split.seed", 0, "seed of the tests that split customers over several ids; 0 for a random one")

// The year of the retailer, a fit after all links are known, and a look at everybody behind it.
var (
	yearBegin = schemas.TimeOf(time.Date(2010, 12, 1, 0, 0, 0, 0, time.UTC))
	yearEnd   = schemas.TimeOf(time.Date(2011, 12, 9, 23, 0, 0, 0, time.UTC))
	lastFit   = schemas.TimeOf(time.Date(2012, 1, 1, 0, 0, 0, 0, time.UTC))
	lastLook  = lastFit + schemas.Hour
)

// stages is what gives events their people and their scores, without a broker and a database.
type stages struct {
	t       *testing.T
	dedup   *dedup.Stage
	folders []schemas.Folder
	clock   *timers.Queue
	number  uint64
	moment  schemas.Moment
	scored  map[uint32]schemas.Profile // latest rows
}

func newStages(t *testing.T) *stages {
	t.Helper()
	rules, err := stitch.ReadRules("")
	if err != nil {
		t.Fatal(err)
	}
	cfg := score.DefaultConfig()
	cfg.FitEvery, cfg.RescoreShare = 59*24*time.Hour, 0 // one of the fits is lastFit
	reg := prometheus.NewRegistry()
	graph, clock := stitch.New(rules, []byte("key"), nil, reg), timers.New(nil, reg)
	return &stages{t: t, dedup: dedup.New(dedup.DefaultConfig(), nil, reg), clock: clock, scored: map[uint32]schemas.Profile{},
		folders: []schemas.Folder{graph, score.New(cfg, graph, nil, reg), clock}}
}

// play takes copies of events through the stages in batches, as the line does, and lets time pass up to a moment at the end.
func (s *stages) play(events []*schemas.Event, size int, until schemas.Time) (played []*schemas.Event) {
	s.t.Helper()
	for _, e := range events {
		played = append(played, copyOf(e))
	}
	for chunk := range slices.Chunk(played, size) {
		s.number++
		b := &schemas.Batch{Number: s.number, Now: until, Fixed: true, Events: slices.Clone(chunk)}
		s.check(s.dedup.Apply(b))
		for _, f := range s.folders {
			s.check(f.Begin(b))
		}
		for _, e := range b.Events {
			s.advance(b, min(e.Time, e.Record.Time))
			s.step(b, schemas.Moment{Clock: s.clock.Now(), Event: e})
		}
		if &chunk[len(chunk)-1] == &played[len(played)-1] {
			s.advance(b, until)
		}
		for _, f := range s.folders {
			s.check(f.Apply(b))
		}
		for _, p := range b.Profiles {
			s.scored[p.Index] = p
		}
	}
	return played
}

func (s *stages) advance(b *schemas.Batch, to schemas.Time) {
	s.clock.Advance(to)
	for due, ok := s.clock.Next(); ok; due, ok = s.clock.Next() {
		s.step(b, schemas.Moment{Clock: due.Due, Touched: []schemas.Touch{due}})
	}
}

func (s *stages) step(b *schemas.Batch, m schemas.Moment) {
	m.Profiles, m.Timers = s.moment.Profiles[:0], s.moment.Timers[:0]
	s.moment = m
	for _, f := range s.folders {
		s.check(f.Step(b, &s.moment))
	}
}

func (s *stages) check(err error) {
	if err != nil {
		s.t.Helper()
		s.t.Fatal(err)
	}
}

func copyOf(e *schemas.Event) *schemas.Event {
	c := *e
	c.Identifiers, c.Items, c.Consents = slices.Clone(e.Identifiers), slices.Clone(e.Items), slices.Clone(e.Consents)
	return &c
}

// customer is a person with three ids, the events that each of the ids has, and the two links between the ids.
type customer struct {
	name   string
	events []*schemas.Event
	links  []*schemas.Event
	days   [3]map[string]bool // of purchases, by id
}

// id gives one of the customer's ids.
func (c *customer) id(i int) schemas.Identifier {
	return [...]schemas.Identifier{{Namespace: schemas.NamespaceAnonymousID, Value: "device-" + c.name},
		{Namespace: schemas.NamespaceEmail, Value: "customer-" + c.name + "@example.com"}, {Namespace: schemas.NamespaceLoyaltyID, Value: "card-" + c.name}}[i]
}

// channelOf is where an id is seen.
var channelOf = [3]schemas.Channel{schemas.ChannelWeb, schemas.ChannelStore, schemas.ChannelStore}

// invoices reads the retailer's invoices with a customer, as orders and refunds, and gives each to one of the customer's ids by lot.
func invoices(t *testing.T, rng *rand.Rand) []*customer {
	t.Helper()
	root := os.Getenv("SEAMLINE_DATA")
	if root == "" {
		root = "../../../shared/data"
	}
	file, err := os.Open(filepath.Join(root, "pos/online_retail.csv.gz"))
	if err != nil {
		t.Skipf("the data set pos/online_retail.csv.gz is not here, nor where SEAMLINE_DATA says: %v", err)
	}
	defer file.Close()
	unzipped, err := gzip.NewReader(bufio.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	rows := csv.NewReader(unzipped)
	byName, byInvoice := map[string]*customer{}, map[string]*schemas.Event{}
	var customers []*customer
	for {
		row, err := rows.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if row[6] == "" || row[6] == "CustomerID" {
			continue
		}
		c := byName[row[6]]
		if c == nil {
			c = &customer{name: row[6], days: [3]map[string]bool{{}, {}, {}}}
			byName[row[6]], customers = c, append(customers, c)
		}
		e := byInvoice[row[0]]
		if e == nil {
			e = c.invoice(t, row, rng.IntN(3))
			byInvoice[row[0]] = e
		}
		addItem(t, e, row)
	}
	for _, c := range customers {
		c.live(rng)
	}
	return customers
}

// invoice begins an order or refund of one of the customer's ids.
func (c *customer) invoice(t *testing.T, row []string, id int) *schemas.Event {
	t.Helper()
	at, err := time.Parse(time.DateTime, row[4])
	if err != nil {
		t.Fatal(err)
	}
	e := c.event("invoice-"+row[0], schemas.TypeOrder, schemas.TimeOf(at), id)
	e.OrderID, e.Currency = row[0], "GBP"
	if strings.HasPrefix(row[0], "C") {
		e.Type = schemas.TypeRefund
	} else {
		c.days[id][row[4][:10]] = true
	}
	return e
}

// itemsMax bounds the items of an invoice, so that the tests are quick.
const itemsMax = 12

func addItem(t *testing.T, e *schemas.Event, row []string) {
	t.Helper()
	quantity, err := schemas.ParseDecimal(strings.TrimPrefix(row[3], "-"))
	if err != nil {
		t.Fatal(err)
	}
	price, err := schemas.ParseDecimal(row[5])
	if err != nil {
		t.Fatal(err)
	}
	e.Amount += quantity.Mul(price)
	if len(e.Items) < itemsMax {
		item := product(row[1])
		item.Quantity, item.UnitPrice, item.Total, item.LineID = quantity, price, quantity.Mul(price), fmt.Sprint(len(e.Items)+1)
		if len(e.Items)%3 == 0 {
			item.Discount = price / 10
		}
		e.Items = append(e.Items, item)
	}
}

// product gives a product a category and a brand that depend on nothing but its code.
func product(sku string) schemas.Item {
	return schemas.Item{SKU: sku, Category: "category-" + sku[:min(2, len(sku))], Brand: "brand-" + sku[min(2, len(sku)-1):min(3, len(sku))]}
}

// event adds an event with one of the customer's ids.
func (c *customer) event(name string, kind schemas.Type, at schemas.Time, id int) *schemas.Event {
	e := &schemas.Event{ID: name, Source: "split", Channel: channelOf[id], Type: kind, Time: at, Received: at, Identifiers: []schemas.Identifier{c.id(id)}, Record: &schemas.Record{Time: at}}
	c.events = append(c.events, e)
	return e
}

func sometime(rng *rand.Rand) schemas.Time {
	return yearBegin + schemas.Time(rng.Int64N(int64(yearEnd-yearBegin)))
}

// live gives the customer's ids what else happens to people, and the links between them.
func (c *customer) live(rng *rand.Rand) {
	for i := range rng.IntN(6) {
		name := fmt.Sprint("life-", c.name, "-", i)
		e := c.event(name, schemas.TypeProductView, sometime(rng), 0)
		e.SKU, e.Items = fmt.Sprint(20000+rng.IntN(50)), []schemas.Item{product(fmt.Sprint(20000 + rng.IntN(50)))}
		e.DwellMillis = rng.Int64N(90_000)
		if rng.IntN(3) == 0 {
			e.Type, e.Quantity, e.Amount = schemas.TypeCartAdd, schemas.DecimalOne, schemas.Decimal(rng.IntN(9)+1)*schemas.DecimalOne
		}
	}
	for i := range rng.IntN(8) {
		kind := []schemas.Type{schemas.TypeMessageSent, schemas.TypeMessageSent, schemas.TypeMessageOpen, schemas.TypeMessageClick, schemas.TypeMessageUnsubscribe}[rng.IntN(5)]
		e := c.event(fmt.Sprint("mail-", c.name, "-", i), kind, sometime(rng), 1)
		e.Channel, e.Machine = schemas.ChannelEmail, kind == schemas.TypeMessageOpen && rng.IntN(2) == 0
	}
	for i := range rng.IntN(4) {
		e := c.event(fmt.Sprint("word-", c.name, "-", i), schemas.TypeSurveyAnswer, sometime(rng), rng.IntN(3))
		e.Answer = schemas.Answer{Survey: "after the purchase", Kind: schemas.SurveyNPS, Score: int8(rng.IntN(11))}
		if rng.IntN(2) == 0 {
			e.Type, e.Answer = schemas.TypeConsentUpdate, schemas.Answer{}
			e.Consents = []schemas.Consent{{Purpose: schemas.PurposeEmailMarketing, State: schemas.ConsentGranted + schemas.ConsentState(rng.IntN(2))}}
		}
	}
	for i := range 2 {
		e := c.event(fmt.Sprint("link-", c.name, "-", i), schemas.TypeIdentify, sometime(rng), i)
		e.Identifiers = append(e.Identifiers, c.id(i+1))
		c.links = append(c.links, e)
	}
}

// historyOf gives the events of customers by time.
func historyOf(customers []*customer) (events []*schemas.Event) {
	for _, c := range customers {
		events = append(events, c.events...)
	}
	slices.SortStableFunc(events, func(a, b *schemas.Event) int { return int(a.Time - b.Time) })
	return events
}

// visitsKept is how many visits of an id are kept. Of what is older only the number of sessions is known: an event that comes that late, or
// came with another of the person's ids, may count as one more.
const visitsKept = 24

// isBusy tells whether one of the customer's ids may have more visits than are kept.
func (c *customer) isBusy() bool {
	for id := range 3 {
		count := 0
		for _, e := range c.events {
			if slices.Contains(e.Identifiers, c.id(id)) {
				count++
			}
		}
		if count > visitsKept {
			return true
		}
	}
	return false
}

// looks are events behind the last fit, so that everybody has a row as of then.
func looks(customers []*customer) (events []*schemas.Event) {
	for i, c := range customers {
		at := lastLook + schemas.Time(i)
		events = append(events, &schemas.Event{ID: "look-" + c.name, Source: "split", Channel: schemas.ChannelEmail, Type: schemas.TypeMessageSent, Time: at, Received: at,
			Identifiers: []schemas.Identifier{c.id(1)}, Record: &schemas.Record{Time: at}})
	}
	return events
}

// known gives the same events with the customer's account on each, so that nothing was ever split.
func known(customers []*customer, events []*schemas.Event) (whole []*schemas.Event) {
	names := map[schemas.Identifier]string{}
	for _, c := range customers {
		for i := range 3 {
			names[c.id(i)] = c.name
		}
	}
	for _, e := range events {
		e = copyOf(e)
		e.Identifiers = append(e.Identifiers, schemas.Identifier{Namespace: schemas.NamespaceUserID, Value: "account-" + names[e.Identifiers[0]]})
		whole = append(whole, e)
	}
	return whole
}

// outcome plays a history, fits, looks at everybody, and gives the row of each.
func outcome(t *testing.T, customers []*customer, history, last []*schemas.Event, size int) map[string]schemas.Profile {
	t.Helper()
	s := newStages(t)
	s.play(history, size, lastFit)
	rows := map[string]schemas.Profile{}
	for i, e := range s.play(last, size, lastLook+schemas.Hour) {
		rows[customers[i].name] = s.scored[e.Profile]
	}
	return rows
}

// comparable leaves out what names ids and versions, counts ids, or depends on when people were merged: since when somebody is in a stage,
// what made it begin, and what is learned from sessions and carts while they pass. The hour to send at that chance draws depends on the id.
func comparable(p schemas.Profile) schemas.Profile {
	p.Index, p.ID, p.Version, p.State, p.StageSince, p.StageReason = 0, schemas.ProfileID{}, 0, nil, 0, ""
	p.UserIDs, p.Identifiers = 0, 0
	sc := *p.Scores
	sc.Models, sc.Propensity, sc.CartConversion, sc.SendHour = 0, 0, 0, 0
	p.Scores = &sc
	return p
}

// differences lists the fields in which two rows differ.
func differences(a, b schemas.Profile) (list []string) {
	x, y := comparable(a), comparable(b)
	compare := func(a, b reflect.Value) {
		for i := range a.NumField() {
			if name := a.Type().Field(i).Name; name != "Scores" && !reflect.DeepEqual(a.Field(i).Interface(), b.Field(i).Interface()) {
				list = append(list, fmt.Sprintf("%s: %v, %v", name, a.Field(i).Interface(), b.Field(i).Interface()))
			}
		}
	}
	compare(reflect.ValueOf(x), reflect.ValueOf(y))
	compare(reflect.ValueOf(*x.Scores), reflect.ValueOf(*y.Scores))
	return list
}

// wrong counts the customers whose rows differ, and reports some of them.
func wrong(t *testing.T, what string, got, want map[string]schemas.Profile) (count int) {
	t.Helper()
	for name := range want {
		if list := differences(got[name], want[name]); len(list) > 0 {
			if count++; count <= 3 {
				t.Errorf("%s: customer %s: %s", what, name, strings.Join(list, "; "))
			}
		}
	}
	if count > 0 {
		t.Errorf("%s: %d of %d profiles differ", what, count, len(want))
	}
	return count
}

func splitRand(t *testing.T) *rand.Rand {
	seed := *splitSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("seed %d (-split.seed)", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// naive counts the customers whose purchases came with more than one id, and those of them whose purchase days would be wrong if the
// days of each id were added up.
func naive(customers []*customer) (split, wrong int) {
	for _, c := range customers {
		all, sum, ids := map[string]bool{}, 0, 0
		for _, days := range c.days {
			for day := range days {
				all[day] = true
			}
			sum += len(days)
			ids += min(1, len(days))
		}
		if ids < 2 {
			continue
		}
		split++
		if sum != len(all) {
			wrong++
		}
	}
	return split, wrong
}

// TestSplitCustomers gives every invoice of a real retailer's customers to one of three ids by lot, reveals the links between the ids at
// random times, and finds every profile and every score as if nothing had ever been split.
func TestSplitCustomers(t *testing.T) {
	t.Parallel()
	rng := splitRand(t)
	customers := invoices(t, rng)
	if testing.Short() {
		customers = customers[:1000]
	}
	history, last := historyOf(customers), looks(customers)
	got := outcome(t, customers, history, last, 5000)
	want := outcome(t, customers, known(customers, history), known(customers, last), 5000)
	split, added := naive(customers)
	busy := 0
	for _, c := range customers {
		if a, b := got[c.name], want[c.name]; c.isBusy() {
			busy++
			a.Sessions, b.Sessions = 0, 0
			got[c.name], want[c.name] = a, b
		}
	}
	n := wrong(t, "split and merged", got, want)
	t.Logf("%d customers, %d events, %d with more visits than are kept; %d of %d that were split are wrong, where adding up days would get %d wrong", len(customers), len(history), busy, n, split, added)
	if split < len(customers)/3 || added < split/10 {
		t.Errorf("%d customers are split, and %d of them on one day: too few to show anything", split, added)
	}
}
