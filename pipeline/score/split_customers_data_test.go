package score_test

import (
	"bufio"
	"compress/gzip"
	"encoding/csv"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seamline/seamline/schemas"
)

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
