package clickhouse

import (
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/seamline/seamline/schemas"
)

// dataFile finds a file of the data sets; a test skips where they are absent.
func dataFile(t testing.TB, name string) string {
	t.Helper()
	dir := os.Getenv("SEAMLINE_DATA")
	if dir == "" {
		dir = "../../../shared/data"
	}
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("the data sets are not here, nor where SEAMLINE_DATA says: %v", err)
	}
	return path
}

// csvRows reads a compressed CSV file, without its header where it has one.
func csvRows(t testing.TB, name string, hasHeader bool) [][]string {
	t.Helper()
	file, err := os.Open(dataFile(t, name))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	unpacked, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	r := csv.NewReader(unpacked)
	r.FieldsPerRecord, r.LazyQuotes = -1, true
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if hasHeader {
		rows = rows[1:]
	}
	return rows
}

func golden(t testing.TB, into any) {
	t.Helper()
	bytes, err := os.ReadFile(dataFile(t, "golden_vectors.json"))
	if err == nil {
		err = json.Unmarshal(bytes, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func money(t testing.TB, s string) schemas.Decimal {
	t.Helper()
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		t.Fatal(err)
	}
	return schemas.Decimal(math.Round(v * float64(schemas.DecimalOne)))
}

func number(t testing.TB, s string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// numbered is the id of a person of a data set.
func numbered(n int) schemas.ProfileID {
	return schemas.ProfileID{0: byte(n >> 16), 1: byte(n >> 8), 2: byte(n), 6: 0x70, 8: 0x80, 15: 1}
}

// writeAll writes events in batches.
func writeAll(t testing.TB, s *Sink, events []*schemas.Event) {
	t.Helper()
	const some = 100_000
	for number := uint64(1); len(events) > 0; number++ {
		n := min(some, len(events))
		write(t, s, &schemas.Batch{Number: number, Now: start, Events: events[:n]})
		events = events[n:]
	}
}

// TestSplitTestsOfHillstrom writes the 64,000 customers of the e-mail test as events, with last year's spend as an order before the exposure.
func TestSplitTestsOfHillstrom(t *testing.T) {
	t.Parallel()
	rows := csvRows(t, "experiments/hillstrom_email.csv.gz", true)
	var want struct {
		Effects map[string]map[string]json.RawMessage `json:"hillstrom_effects"`
		CUPED   map[string]json.RawMessage            `json:"hillstrom_cuped_mens_vs_none"`
		SRM     map[string]json.RawMessage            `json:"srm"`
	}
	golden(t, &rawGolden{&want})
	cfg := config(t)
	s := open(t, cfg)
	exposed := start
	record := &schemas.Record{Topic: "clickstream"}
	var events []*schemas.Event
	for i, r := range rows {
		add := func(name string, at schemas.Time, kind schemas.Type) *schemas.Event {
			e := &schemas.Event{ID: fmt.Sprint(i, name), Source: "segment", Channel: schemas.ChannelWeb, Type: kind, Time: at, ProfileID: numbered(i), Leaf: uint32(i + 1), Record: record}
			events = append(events, e)
			return e
		}
		before := add("before", exposed-30*schemas.Day, schemas.TypeOrder)
		before.OrderID, before.Revenue = before.ID, money(t, r[2])
		e := add("exposed", exposed, schemas.TypeCustom)
		e.Variant, e.Properties = r[8], `{"event":"Experiment Viewed","experiment_name":"hillstrom"}`
		if r[9] == "1" {
			add("visit", exposed+schemas.Day, schemas.TypePageView)
		}
		if r[10] == "1" {
			bought := add("bought", exposed+2*schemas.Day, schemas.TypeOrder)
			bought.OrderID, bought.Revenue = bought.ID, money(t, r[11])
		}
	}
	writeAll(t, s, events)
	found := map[string]row{}
	for _, r := range read(t, cfg, "SELECT * FROM split_tests") {
		found[strings.Trim(r["variant"], `"`)+" "+strings.Trim(r["metric"], `"`)] = r
	}
	if len(found) != 9 {
		t.Fatalf("%d rows, want three arms by three metrics", len(found))
	}
	for arm, name := range map[string]string{"Mens E-Mail": "mens_vs_none", "Womens E-Mail": "womens_vs_none"} {
		for metric, raw := range want.Effects[name] {
			var v [2]float64
			if err := json.Unmarshal(raw, &v); err != nil {
				t.Fatal(err)
			}
			near(t, arm+" "+metric, found[arm+" "+metric]["effect"], v[0], 6e-7)
			near(t, "standard error of "+arm+" "+metric, found[arm+" "+metric]["se"], v[1], 6e-7)
		}
	}
	for _, metric := range []string{"visit", "spend"} {
		var v struct{ Theta, Effect, SE float64 }
		if err := json.Unmarshal(want.CUPED[metric+"~history"], &v); err != nil {
			t.Fatal(err)
		}
		r := found["Mens E-Mail "+metric]
		near(t, "theta of "+metric, r["cuped_theta"], v.Theta, 1e-9)
		near(t, "CUPED effect on "+metric, r["cuped_effect"], v.Effect, 6e-7)
		near(t, "CUPED standard error of "+metric, r["cuped_se"], v.SE, 6e-7)
	}
	var srm [2]float64
	if err := json.Unmarshal(want.SRM["hillstrom chi2,p (3 arms)"], &srm); err != nil {
		t.Fatal(err)
	}
	for key, r := range found {
		near(t, "chi-square", r["srm_chi2"], srm[0], 6e-7)
		near(t, "p of the sample ratio", r["srm_p"], srm[1], 6e-7)
		if r["crossed"] != "0" || r["is_control"] != fmt.Sprint(strings.HasPrefix(key, "No E-Mail")) {
			t.Errorf("%s has %s crossed people, and is the control: %s", key, r["crossed"], r["is_control"])
		}
	}
}

// rawGolden reads the members of an object that a struct names, and passes over the others.
type rawGolden struct{ into any }

// UnmarshalJSON leaves out members of other shapes than wanted.
func (g *rawGolden) UnmarshalJSON(b []byte) error {
	all := map[string]json.RawMessage{}
	if err := json.Unmarshal(b, &all); err != nil {
		return err
	}
	kept := map[string]map[string]json.RawMessage{}
	for _, name := range []string{"hillstrom_effects", "hillstrom_cuped_mens_vs_none", "srm"} {
		members := map[string]json.RawMessage{}
		if err := json.Unmarshal(all[name], &members); err != nil {
			return err
		}
		for key, value := range members {
			if len(value) > 0 && value[0] == '{' || name != "hillstrom_effects" {
				continue
			}
			delete(members, key)
		}
		kept[name] = members
	}
	out, err := json.Marshal(kept)
	if err != nil {
		return err
	}
	return json.Unmarshal(out, g.into)
}

// TestAttributionOfPaths writes the 10,000 paths as people whose visits have a source, and whose orders have the paths' value.
func TestAttributionOfPaths(t *testing.T) {
	t.Parallel()
	rows := csvRows(t, "attribution/paths.csv.gz", true)
	var want struct {
		Paths struct {
			First  map[string]float64 `json:"first"`
			Last   map[string]float64 `json:"last"`
			Linear map[string]float64 `json:"linear"`
			Markov map[string]float64 `json:"markov1_exact"`
			Value  float64            `json:"value"`
		} `json:"attribution_paths"`
	}
	golden(t, &want)
	cfg := config(t)
	s := open(t, cfg)
	begin, record, person := lately()-10*schemas.Day, &schemas.Record{Topic: "clickstream"}, 0
	var events []*schemas.Event
	walk := func(path []string, value schemas.Decimal, buys bool) {
		person++
		for i, source := range path {
			events = append(events, &schemas.Event{ID: fmt.Sprint(person, "/", i), Source: "segment", Channel: schemas.ChannelWeb, Type: schemas.TypePageView, Time: begin + schemas.Time(i)*schemas.Minute,
				ProfileID: numbered(person), Leaf: uint32(person), SessionID: uint64(person)<<16 + uint64(i) + 1, Campaign: schemas.Campaign{Source: source}, Record: record})
		}
		if buys {
			events = append(events, &schemas.Event{ID: fmt.Sprint(person, "/order"), Source: "segment", Channel: schemas.ChannelStore, Type: schemas.TypeOrder, Time: begin + schemas.Day,
				ProfileID: numbered(person), Leaf: uint32(person), OrderID: fmt.Sprint(person), Revenue: value, Currency: "EUR", Record: record})
		}
	}
	for _, r := range rows {
		path := strings.Split(r[0], " > ")
		conversions, _ := strconv.Atoi(r[1])
		nulls, _ := strconv.Atoi(r[3])
		value := money(t, r[2])
		for i := range conversions {
			share := value / schemas.Decimal(conversions-i)
			value -= share
			walk(path, share, true)
		}
		for range nulls {
			walk(path, 0, false)
		}
	}
	writeAll(t, s, events)
	found := map[string]row{}
	for _, r := range read(t, cfg, "SELECT * FROM attribution") {
		found[strings.Trim(r["source"], `"`)] = r
	}
	if len(found) != len(want.Paths.First) {
		t.Fatalf("%d sources, want %d", len(found), len(want.Paths.First))
	}
	for source := range want.Paths.First {
		near(t, "first touch of "+source, found[source]["first_touch"], want.Paths.First[source], 1e-9)
		near(t, "last touch of "+source, found[source]["last_touch"], want.Paths.Last[source], 1e-9)
		near(t, "linear of "+source, found[source]["linear"], want.Paths.Linear[source], 6e-8)
		near(t, "Markov of "+source, found[source]["markov"], want.Paths.Markov[source], 6e-3)
	}
	for _, rule := range []string{"first_touch", "last_touch", "linear", "position_based", "time_decay", "markov"} {
		orders, revenue := 0.0, 0.0
		for _, r := range found {
			orders, revenue = orders+number(t, r[rule]), revenue+number(t, r[rule+"_revenue"])
		}
		near(t, "orders by "+rule, orders, 19785, 1e-6)
		near(t, "revenue by "+rule, revenue, want.Paths.Value, 0.0051)
	}
}

// TestSKUAffinityOfGroceries writes 9,835 baskets as orders.
func TestSKUAffinityOfGroceries(t *testing.T) {
	t.Parallel()
	baskets := csvRows(t, "pos/groceries_baskets.csv.gz", false)
	var want struct {
		Top [][5]any `json:"groceries_top_llr"`
	}
	golden(t, &want)
	cfg := config(t)
	s := open(t, cfg)
	var events []*schemas.Event
	for i, basket := range baskets {
		e := sold(fmt.Sprint("basket ", i), lately()+schemas.Time(i), byte(i%200), schemas.ChannelStore, 1)
		for j, item := range basket {
			e.Items = append(e.Items, schemas.Item{LineID: fmt.Sprint(j), SKU: item, Quantity: schemas.DecimalOne, Total: 3 * schemas.DecimalOne, Cost: schemas.DecimalOne})
		}
		events = append(events, e)
	}
	writeAll(t, s, events)
	got := lines(t, cfg, "SELECT sku_a || ', ' || sku_b, together, round(llr, 4), round(lift, 4), margin, round(bundle_value / lift, 9), baskets FROM sku_affinity WHERE kind = 'basket' ORDER BY llr DESC LIMIT 5")
	for i, w := range want.Top {
		if expected := fmt.Sprintf("%v, %v %v %v %v 4 4 9835", w[0], w[1], w[2], w[3], w[4]); got[i] != expected {
			t.Errorf("pair %d is %s, want %s", i, got[i], expected)
		}
	}
}

// TestChannelResultsOfCompleteJourney writes a sample of 75,000 lines of a grocer as receipts.
func TestChannelResultsOfCompleteJourney(t *testing.T) {
	t.Parallel()
	rows := csvRows(t, "pos/completejourney/transactions_sample.csv.gz", true)
	cfg := config(t)
	s := open(t, cfg)
	receipts := map[string]*schemas.Event{}
	var events []*schemas.Event
	for i, r := range rows {
		e := receipts[r[2]]
		if e == nil {
			at, err := time.Parse("2006-01-02T15:04:05", strings.TrimSuffix(r[10], "Z"))
			if err != nil {
				t.Fatal(err)
			}
			e = sold(r[2], schemas.TimeOf(at), 1, schemas.ChannelStore, 0)
			e.StoreID, e.Currency = r[1], "USD"
			receipts[r[2]], events = e, append(events, e)
		}
		total, discount := money(t, r[5]), money(t, r[6]) // what the loyalty card took off; coupons are apart
		e.Revenue += total
		quantity := money(t, r[4])
		e.Items = append(e.Items, schemas.Item{LineID: fmt.Sprint(i), SKU: r[3], Quantity: quantity, Total: total, Discount: discount})
	}
	writeAll(t, s, events)
	r := read(t, cfg, "SELECT * FROM channel_results")[0]
	near(t, "lines", r["lines"], 75_000, 0)
	near(t, "orders", r["orders"], float64(len(receipts)), 0)
	near(t, "revenue", r["revenue"], 233_935.24, 1e-6)
	near(t, "lines without a cost", r["lines_without_cost"], 75_000, 0)
	near(t, "lines with a discount", r["promoted_lines"], 37_606, 0)
	near(t, "discounts", r["discount"], 40_180.91, 1e-6)
}
