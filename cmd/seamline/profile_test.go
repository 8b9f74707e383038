package main

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/seamline/seamline/pipeline/score"
	"github.com/seamline/seamline/schemas"
	"github.com/seamline/seamline/sinks/clickhouse"
)

func TestParsePerson(t *testing.T) {
	t.Parallel()
	f := func(text, want string) {
		t.Helper()
		who, err := parsePerson(text)
		got := fmt.Sprint(who.profile, who.identifier.Namespace, who.identifier.Value)
		if err != nil {
			got = "error"
		}
		if got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
	const none = "00000000-0000-0000-0000-000000000000"
	f("email:customer-17@example.com", none+"email"+"customer-17@example.com")
	f("0192f0c1-7a52-7f5e-8f00-112233445566", "0192f0c1-7a52-7f5e-8f00-112233445566")
	f("urn:uuid:0192f0c1-7a52-7f5e-8f00-112233445566", none+"urn"+"uuid:0192f0c1-7a52-7f5e-8f00-112233445566")
	f("0192f0c17a527f5e8f00112233445566", "error")
	f(none, "error")
	f("phone", "error")
	f("phone:", "error")
}

// bookStand is a person's row and what is asked beside it, made by hand.
func bookStand() (facts, []clickhouse.EventCount, []schemas.Model, []clickhouse.OrderRow, []clickhouse.ProductRow) {
	at := func(hours int) schemas.Time { return schemas.TimeOf(start.Add(time.Duration(hours) * time.Hour)) }
	f := facts{"stage": "customer", "stage_since": at(2), "stage_reason": "bought once", "first_seen": at(0), "last_seen": at(30), "events": uint64(9), "sessions": uint32(2),
		"channel_events": map[string]any{"web": uint64(6), "email": uint64(3)}, "channel_first_seen": map[string]any{"web": at(0), "email": at(1)},
		"channel_last_seen": map[string]any{"web": at(30), "email": at(5)}, "orders": int64(2), "refunds": int64(1), "revenue": schemas.Decimal(815000), "currency": "USD",
		"last_order": at(2), "identifiers": uint32(3), "loyalty_ids": uint32(1), "loyalty_points": int64(70), "loyalty_earned": int64(81), "loyalty_burned": int64(11),
		"cart_skus": []string{"BOOT-1"}, "cart_quantity": schemas.Decimal(20000), "cart_value": schemas.Decimal(1600000), "cart_updated": at(30),
		"category_affinity": map[string]any{"Boots": float32(0.25), "Shoes": float32(1.5), "Socks": float32(0.25)}, "channel_browse": map[string]any{"web": float32(1)},
		"send_hour": uint8(25), "send_hour_best": uint8(167), "consent": map[string]any{"email_marketing": "granted"}, "consent_at": at(3), "scored_at": at(30), "models": uint32(3), "approximate": []string{"visits", "cart"},
		"recommended_skus": []string{"SOCK-1"}, "recommended_scores": []float32{0.75}, "recommended_reasons": []string{"goes with the cart's BOOT-1"},
		"recency_quintile": uint8(5), "frequency_quintile": uint8(1), "monetary_quintile": uint8(3), "purchase_days": uint32(2), "nps": int8(9), "csat": int8(-1),
		"satisfaction": float32(0.9), "answered_at": at(4), "email_engagement": float32(0.5), "email_sent": uint64(1), "alive_mbgnbd": float32(0.875)}
	counts := []clickhouse.EventCount{{Type: "message_open", Events: 1, First: at(4), Last: at(4)}, {Type: "message_open", Machine: true, Events: 2, First: at(1), Last: at(5)},
		{Type: "order", Events: 2, First: at(2), Last: at(6)}, {Type: "page_view", Events: 5, First: at(0), Last: at(30)}}
	models := []schemas.Model{{Name: "bgnbd", Version: 2, FittedAt: at(12), People: 39, Parameters: []schemas.Parameter{{Name: "r", Value: 0.25}}},
		{Name: "mbgnbd", Version: 3, FittedAt: at(24), People: 40, Parameters: []schemas.Parameter{{Name: "r", Value: 0.5}}}, {Name: "rfm", Version: 3, FittedAt: at(24), People: 40, Parameters: []schemas.Parameter{{Name: "purchase_days_20", Value: 1}, {Name: "revenue_80", Value: 250.5}}}}
	orders := []clickhouse.OrderRow{{OrderID: "R-1", StoreID: "S-1", Channel: "store", Time: at(2), Net: 400000, Currency: "USD", Refunds: 1, Lines: []clickhouse.LineRow{
		{Type: "order", Time: at(2), SKU: "SHOE-1", Name: "Running Shoe", Quantity: 10000, UnitPrice: 499000, Total: 499000},
		{Type: "refund", Time: at(3), SKU: "SHOE-1", Quantity: -10000, UnitPrice: 99000, Total: -99000}}}}
	products := []clickhouse.ProductRow{{SKU: "BOOT-1", IsKnown: true, Name: "Boot", Price: 800000, ListPrice: 900000, Currency: "USD", Availability: "in_stock",
		Places: []clickhouse.PlaceRow{{StoreID: "S-1", HasStock: true, Quantity: 30000}, {HasStock: true, Quantity: 0, Availability: "out_of_stock"}, {StoreID: "S-2", HasPrice: true, Price: 750000, Currency: "USD"}}},
		{SKU: "SHOE-1"}, {SKU: "SOCK-1", IsKnown: true, Price: 50000, Currency: "USD", Availability: "preorder"}}
	return f, counts, models, orders, products
}

// bookDossier puts that together as the desk does.
func bookDossier(t *testing.T) *dossier {
	t.Helper()
	f, counts, models, orders, products := bookStand()
	d := &profileDesk{docs: score.Docs()}
	a := summarise(schemas.ProfileID{1, 15: 2}, f)
	a.Scores, a.Orders = d.scores(f), shownOrders(orders)
	a.Journey = append(a.Journey, shownChange{Time: 1788271200000, From: "visitor", To: "customer", Reason: "bought once"},
		shownChange{Time: 1788264000000, To: "visitor", Reason: "came to the site or app"})
	a.Products = a.wanted([]clickhouse.Look{{SKU: "SHOE-1", Last: 1788264000000}, {SKU: "BOOT-1", Last: 1788264000000}})
	if len(a.Products) != len(products) {
		t.Fatalf("got %d products, want %d", len(a.Products), len(products))
	}
	for i := range products {
		if a.Products[i].SKU != products[i].SKU {
			t.Fatalf("product %d: got %s, want %s", i, a.Products[i].SKU, products[i].SKU)
		}
		a.Products[i].describe(&products[i])
	}
	a.Fits = shownModels(models)
	for i := range d.docs {
		a.Scores[i].explain(&d.docs[i], f, a.Fits)
		a.Scores[i].Evidence = evidenceOf(d.docs[i].Evidence, counts)
	}
	return a
}

// TestProfileGolden: a person as JSON, as a clerk reads it, and explained.
func TestProfileGolden(t *testing.T) {
	t.Parallel()
	f := func(name string, asJSON bool, change func(a *dossier)) {
		t.Helper()
		a := bookDossier(t)
		change(a)
		var got bytes.Buffer
		if err := show(&got, asJSON, a); err != nil {
			t.Fatal(err)
		}
		path := "testdata/" + name
		if *update {
			if err := os.WriteFile(path, got.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil || got.String() != string(want) {
			t.Errorf("%s is not what is printed (error %v): see the difference after go test ./cmd/seamline -run ProfileGolden -update. Got\n%s", path, err, got.String())
		}
	}
	f("profile.json", true, func(*dossier) {})
	f("profile.txt", false, func(a *dossier) { a.Alias = &shownAlias{ID: schemas.ProfileID{3, 15: 4}, Since: 1788264000000} })
	f("profile_explained.txt", false, func(a *dossier) { a.explained = true })
}

// errSink fails as a closed pipe does.
type errSink struct{}

func (errSink) Write([]byte) (int, error) { return 0, os.ErrClosed }

func TestProfilePrintFails(t *testing.T) {
	t.Parallel()
	if err := bookDossier(t).print(errSink{}); err == nil {
		t.Error("a pipe that is closed is no error")
	}
}

// shownPerson is an answer as a caller reads it.
type shownPerson struct {
	ID    string `json:"profile_id"`
	Alias *struct {
		ID string `json:"profile_id"`
	} `json:"alias"`
	Stage struct {
		Stage, Reason string
		Since         schemas.Time
	} `json:"stage"`
	Journey []struct {
		Time             schemas.Time
		From, To, Reason string
	} `json:"journey"`
	Summary struct {
		Events, Orders, Refunds int
		Revenue, Currency       string
		Average                 string `json:"average_order"`
		Channels                []struct{ Channel string }
	} `json:"summary"`
	Cart *struct {
		SKUs     []string
		Quantity string
		Value    string
	} `json:"cart"`
	Orders []struct {
		ID       string `json:"order_id"`
		Net      string
		Channel  string
		Store    string `json:"store_id"`
		Refunds  int
		Currency string
		Lines    []struct{ Type, SKU, Quantity, Total, Discount string }
	} `json:"orders"`
	Preferences struct {
		Categories []struct{ Name string }
		Consent    map[string]string
	} `json:"preferences"`
	Loyalty struct {
		Member bool
		Points int
	} `json:"loyalty"`
	Products []struct {
		SKU, Name, Price string
		InCart           bool         `json:"in_cart"`
		LookedAt         schemas.Time `json:"looked_at"`
		Recommended      bool
		Places           []struct {
			Store        string `json:"store_id"`
			Quantity     string
			Price        string
			Availability string
		}
	} `json:"products"`
	Models int          `json:"models"`
	Scores []askedScore `json:"scores"`
}

type askedScore struct {
	Name           string
	Version        int
	Values, Inputs map[string]any
	Formula        string
	Models         []askedModel
	Approximate    []string
	Evidence       []struct {
		Type            string
		Person, Machine *struct {
			Events      int
			First, Last schemas.Time
		}
	}
}

type askedModel struct {
	Name       string
	Version    int
	FittedAt   schemas.Time `json:"fitted_at"`
	Parameters map[string]float64
}

// model gives a model that the score was computed with.
func (s *askedScore) model(t *testing.T, name string) *askedModel {
	t.Helper()
	i := slices.IndexFunc(s.Models, func(m askedModel) bool { return m.Name == name })
	if i < 0 {
		t.Fatalf("%s has no model %s", s.Name, name)
	}
	return &s.Models[i]
}

func (a *shownPerson) score(t *testing.T, name string) *askedScore {
	t.Helper()
	i := slices.IndexFunc(a.Scores, func(s askedScore) bool { return s.Name == name })
	if i < 0 {
		t.Fatalf("there is no score %s", name)
	}
	return &a.Scores[i]
}
