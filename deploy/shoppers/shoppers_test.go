package shoppers

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"math"
	"math/big"
	"reflect"
	"strings"
	"testing"
	"time"
)

var seedFlag = flag.Uint64("seed", 20260901, "seed of the simulations in the tests")

// untidy is a config in which everything happens often enough to be seen.
func untidy(t testing.TB) Config {
	t.Helper()
	t.Logf("seed %d; run again with -seed %d", *seedFlag, *seedFlag)
	c := DefaultConfig()
	c.Seed, c.Shoppers, c.Duration = *seedFlag, 300, 10*24*time.Hour
	c.PlaceholderShare, c.MalformedShare, c.SharedDeviceShare, c.EventTruth = 0.01, 0.01, 0.2, true
	c.KioskShare, c.FillerShare, c.OversizeBytes = 0.02, 0.03, 4096
	return c
}

// consume runs a simulation through the plain reader.
func consume(t *testing.T, c Config) (*reader, *Truth, *Generator) {
	t.Helper()
	g, r := New(c), newReader(t)
	last := time.Time{}
	for {
		record, ok := g.Next()
		if !ok {
			break
		}
		if record.Time.Before(last) {
			t.Fatalf("record of %v after one of %v", record.Time, last)
		}
		last = record.Time
		r.consume(record)
	}
	return r, g.Truth(), g
}

func TestSameSeedSameBytes(t *testing.T) {
	t.Parallel()
	digest := func(c Config) string {
		g, h := New(c), sha256.New()
		for range 40_000 {
			r, ok := g.Next()
			if !ok {
				break
			}
			fmt.Fprintf(h, "%s|%s|%s|%v|%v\n", r.Topic, r.Key, r.Value, r.Headers, r.Time)
		}
		if _, err := g.Truth().WriteTo(h); err != nil {
			t.Fatal(err)
		}
		return hex.EncodeToString(h.Sum(nil))
	}
	c := untidy(t)
	c.Duration = 4 * 24 * time.Hour
	first := digest(c)
	if again := digest(c); again != first {
		t.Error("two runs with one seed differ")
	}
	c.Seed++
	if other := digest(c); other == first {
		t.Error("two seeds give the same bytes")
	}
}

func TestReaderFindsTheTruth(t *testing.T) {
	t.Parallel()
	r, truth, _ := consume(t, untidy(t))
	if len(r.events) != truth.Counts.Events {
		t.Errorf("reader saw %d events, truth says %d", len(r.events), truth.Counts.Events)
	}
	if !reflect.DeepEqual(r.formats, truth.Counts.ByFormat) {
		t.Errorf("reader counts\n%v\ntruth says\n%v", r.formats, truth.Counts.ByFormat)
	}
	if r.duplicates != truth.Counts.Duplicates {
		t.Errorf("reader saw %d duplicates, truth says %d", r.duplicates, truth.Counts.Duplicates)
	}
	if r.training < truth.Counts.Training || r.training > 2*truth.Counts.Training {
		t.Errorf("reader saw %d training receipts, truth says %d", r.training, truth.Counts.Training)
	}
	checkMoney(t, r, truth)
}

// wallet is a person's money in one place.
type wallet struct {
	person  int // -1 where the record does not say
	channel string
}

// books is what the plain reader makes of money.
type books struct {
	net        map[wallet]*big.Rat // channels "store" and "online", since the back end reports returns of both web and app
	total      map[string]*big.Rat
	orders     map[string]int
	identified map[int]int // events
}

// checkMoney compares orders and revenue of every person and channel.
func checkMoney(t *testing.T, r *reader, truth *Truth) {
	t.Helper()
	b := keepBooks(t, r, truth)
	get := func(p int, channel string) *big.Rat {
		if v := b.net[wallet{p, channel}]; v != nil {
			return v
		}
		return new(big.Rat)
	}
	for _, p := range truth.Persons {
		online := new(big.Rat).Add(rat(p.Web.Net), rat(p.App.Net))
		if got := get(p.Index, "online"); got.Cmp(online) != 0 {
			t.Errorf("person %d: reader has %s on web and app, truth says %s", p.Index, got.FloatString(2), online.FloatString(2))
		}
		if got := get(p.Index, "store"); got.Cmp(rat(p.Store.NetIdentified)) != 0 {
			t.Errorf("person %d: reader has %s in stores, truth says %s", p.Index, got.FloatString(2), p.Store.NetIdentified)
		}
		if b.identified[p.Index] != p.Identified {
			t.Errorf("person %d: reader has %d events, truth says %d", p.Index, b.identified[p.Index], p.Identified)
		}
	}
	if got := b.total["store"]; got.Cmp(rat(truth.Counts.Store.Net)) != 0 {
		t.Errorf("reader has %s in all stores, truth says %s", got.FloatString(2), truth.Counts.Store.Net)
	}
	for channel, want := range map[string]Sales{"store": truth.Counts.Store, "web": truth.Counts.Web, "app": truth.Counts.App} {
		if b.orders[channel] != want.Orders || want.Orders == 0 {
			t.Errorf("reader has %d orders of channel %s, truth says %d", b.orders[channel], channel, want.Orders)
		}
	}
}

// keepBooks finds the person of each event by its identifiers alone.
func keepBooks(t *testing.T, r *reader, truth *Truth) books {
	t.Helper()
	person := map[string]int{}
	for _, id := range truth.Identifiers {
		if id.Owner == OwnerPerson {
			person[id.Namespace+" "+id.Value] = id.Person
		}
	}
	b := books{map[wallet]*big.Rat{}, map[string]*big.Rat{}, map[string]int{}, map[int]int{}}
	for _, e := range r.events {
		owner := -1
		for _, id := range e.ids {
			if p, ok := person[id]; ok {
				if owner >= 0 && owner != p {
					t.Fatalf("event %s carries identifiers of persons %d and %d", e.id, owner, p)
				}
				owner = p
			}
		}
		if owner >= 0 {
			b.identified[owner]++
		}
		if got, ok := truth.Event(e.id); ok && owner >= 0 && got.Person != owner {
			t.Fatalf("event %s is of person %d, truth says %d", e.id, owner, got.Person)
		}
		if e.kind == "order" {
			b.orders[e.channel]++
		}
		if e.net != nil {
			add(b.total, e.channel, e.net)
			channel := "store"
			if e.channel != channel {
				channel = "online"
			}
			add(b.net, wallet{owner, channel}, e.net)
		}
	}
	return b
}

func add[K comparable](sums map[K]*big.Rat, key K, v *big.Rat) {
	if sums[key] == nil {
		sums[key] = new(big.Rat)
	}
	sums[key].Add(sums[key], v)
}

func TestEveryFormatOccurs(t *testing.T) {
	t.Parallel()
	c := untidy(t)
	c.Shoppers, c.Duration, c.SessionsPerDay, c.MailsPerDay, c.VisitsPerDay = 1200, 20*24*time.Hour, 0.4, 3, 0.5
	g := New(c)
	shapes, headers := map[string]int{}, map[string]int{}
	for r, ok := g.Next(); ok; r, ok = g.Next() {
		switch {
		case string(r.Key) == "broken":
		case r.Value[0] == 0:
			shapes["framed"]++
		case r.Value[0] == '[':
			shapes[r.Topic+" array"]++
		case bytes.HasPrefix(r.Value, []byte(`{"batch":[`)):
			shapes["batch"]++
		case bytes.Contains(r.Value, []byte(`"rudderId":`)):
			shapes["rudder"]++
		default:
			shapes[r.Topic+" single"]++
		}
		for _, h := range r.Headers {
			headers[h.Key]++
		}
	}
	for _, shape := range []string{"framed", "clickstream array", "email array", "batch", "rudder", "clickstream single", "email single", "pos single"} {
		if shapes[shape] == 0 {
			t.Errorf("no record of shape %s among %v", shape, shapes)
		}
	}
	for _, h := range []string{"ce_id", "ce_specversion", "X-Shopify-Topic"} {
		if headers[h] == 0 {
			t.Errorf("no header %s", h)
		}
	}
	counts := g.Truth().Counts
	for k := range kindEnd {
		wire, canonical := k.names()
		if wire == "" || canonical == "" {
			t.Errorf("kind %d has no name", k)
		}
		if k >= kindMail && !provider((k-kindMail)/kind(mailSteps)).reports(mailStep((k-kindMail)%kind(mailSteps))) {
			continue
		}
		if counts.ByFormat[wire] == 0 {
			t.Errorf("no event %s", wire)
		}
	}
	if counts.Training == 0 {
		t.Error("no training receipt")
	}
	reasons := map[string]bool{}
	for _, byReason := range counts.Malformed {
		for reason := range byReason {
			reasons[reason] = true
		}
	}
	if len(reasons) != 7 {
		t.Errorf("malformed records for the reasons %v, want seven", reasons)
	}
}

func TestSharesAreNearTheirSettings(t *testing.T) {
	t.Parallel()
	c := untidy(t)
	c.MalformedShare, c.PlaceholderShare = 0.03, 0.02
	c.Shoppers, c.Duration, c.MailsPerDay = 1500, 4*24*time.Hour, 3
	g := New(c)
	records := 0
	for _, ok := g.Next(); ok; _, ok = g.Next() {
		records++
	}
	truth := g.Truth()
	n := truth.Counts
	f := func(name string, got, want, tolerance float64) {
		t.Helper()
		if math.Abs(got-want) > tolerance*want {
			t.Errorf("share of %s is %.4f, want %.4f", name, got, want)
		}
	}
	events := float64(n.Events)
	f("late events", float64(n.Late)/events, c.LateShare, 0.3)
	f("duplicates", float64(n.Duplicates)/events, c.DuplicateShare, 0.2)
	clicks := -n.Bot
	for format, k := range n.ByFormat {
		if strings.HasPrefix(format, "segment/") || strings.HasPrefix(format, "rudderstack/") {
			clicks += k
		}
	}
	f("placeholders", float64(n.Placeholders)/float64(clicks), c.PlaceholderShare, 0.15)
	f("machine opens", float64(n.MachineOpens)/float64(n.MachineOpens+n.HumanOpens), c.MachineOpenShare, 0.12)
	malformed := 0
	for _, reasons := range n.Malformed {
		for _, k := range reasons {
			malformed += k
		}
	}
	f("malformed records", float64(malformed)/float64(records), c.MalformedShare, 0.15)
	f("framed records", float64(n.Framed)/float64(records), c.FramedShare, 0.15)
	sharing, registered := 0, 0
	for _, p := range truth.Persons {
		if p.Household >= 0 {
			sharing++
		}
		if p.Registered {
			registered++
		}
	}
	f("shared devices", float64(sharing)/float64(c.Shoppers), c.SharedDeviceShare, 0.4)
	if registered == 0 || registered == c.Shoppers {
		t.Errorf("%d of %d persons are registered", registered, c.Shoppers)
	}
	loyal := 0
	for _, id := range truth.Identifiers {
		if id.Namespace == "loyalty_id" {
			loyal++
		}
	}
	if most := int(float64(c.Shoppers) * c.LoyaltyShare * 1.1); loyal == 0 || loyal > most {
		t.Errorf("%d loyalty cards were seen, want 1 to %d", loyal, most)
	}
}

func TestNothingUntidyWhenNotAskedFor(t *testing.T) {
	t.Parallel()
	c := DefaultConfig()
	c.Seed, c.Shoppers, c.Duration = *seedFlag, 200, 5*24*time.Hour
	for _, s := range c.shares() {
		*s.value = 0
	}
	_, truth, _ := consume(t, c)
	n := truth.Counts
	for name, count := range map[string]int{"late": n.Late, "duplicates": n.Duplicates, "placeholders": n.Placeholders, "fillers": n.Fillers, "framed": n.Framed,
		"cloud events": n.CloudEvents, "kiosk": n.Kiosk, "shared": n.Shared, "machine opens": n.MachineOpens, "skewed": n.Skewed, "malformed": len(n.Malformed)} {
		if count != 0 {
			t.Errorf("%d %s, want none", count, name)
		}
	}
	if _, ok := truth.Event("anything"); ok {
		t.Error("an event is known although event truth is off")
	}
}

func TestTruthFileRoundTrip(t *testing.T) {
	t.Parallel()
	c := untidy(t)
	c.Shoppers, c.Duration = 100, 3*24*time.Hour
	_, truth, _ := consume(t, c)
	var file bytes.Buffer
	n, err := truth.WriteTo(&file)
	if err != nil || n != int64(file.Len()) {
		t.Fatalf("wrote %d of %d bytes: %v", n, file.Len(), err)
	}
	back, err := ReadTruth(bytes.NewReader(file.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(back, truth) {
		t.Error("what was read back differs from what was written")
	}
	for name, broken := range map[string]string{
		"empty": "", "no run": `{"person":{"index":1}}`, "cut": file.String()[:file.Len()-5], "strange line": file.String() + "{}\n",
		"strange event": file.String() + `{"event":{"hash":"zz","person":1}}`,
	} {
		if _, err := ReadTruth(strings.NewReader(broken)); err == nil {
			t.Errorf("%s: read without an error", name)
		}
	}
	if _, err := truth.WriteTo(failing{}); err == nil {
		t.Error("a failing writer gives no error")
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestConfigValidate(t *testing.T) {
	t.Parallel()
	if err := DefaultConfig().Validate(); err != nil {
		t.Fatal(err)
	}
	f := func(word string, change func(*Config)) {
		t.Helper()
		c := DefaultConfig()
		change(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("error is %v, want one about %s", err, word)
		}
	}
	f("shoppers.count", func(c *Config) { c.Shoppers = 0 })
	f("shoppers.count", func(c *Config) { c.Shoppers = shoppersMax + 1 })
	f("shoppers.duration", func(c *Config) { c.Duration = 0 })
	f("shoppers.stores", func(c *Config) { c.Stores = 100 })
	f("shoppers.currency", func(c *Config) { c.Currency = "" })
	f("shoppers.start", func(c *Config) { c.Start = time.Time{} })
	f("late-share", func(c *Config) { c.LateShare = 1.5 })
	f("late-share", func(c *Config) { c.LateShare = math.NaN() })
	f("machine-open-share", func(c *Config) { c.MachineOpenShare = 1 })
	f("visits-per-day", func(c *Config) { c.VisitsPerDay = -1 })
	f("oversize", func(c *Config) { c.OversizeBytes = 1 })

	c := DefaultConfig()
	fs := flag.NewFlagSet("test", flag.ContinueOnError)
	c.Flags(fs)
	if err := fs.Parse([]string{"-shoppers.seed=7", "-shoppers.late-share=0.5", "-shoppers.start=2026-01-02T00:00:00Z"}); err != nil {
		t.Fatal(err)
	}
	if c.Seed != 7 || c.LateShare != 0.5 || c.Start.Month() != time.January {
		t.Errorf("flags gave %+v", c)
	}
}

func TestWithRate(t *testing.T) {
	t.Parallel()
	c := DefaultConfig()
	c.Seed, c.Shoppers, c.Duration = *seedFlag, 800, 24*time.Hour
	for _, perSecond := range []float64{0.1, 2} {
		g := New(c.WithRate(perSecond))
		records := 0
		for _, ok := g.Next(); ok; _, ok = g.Next() {
			records++
		}
		if got := float64(records) / c.Duration.Seconds(); math.Abs(got-perSecond) > 0.25*perSecond {
			t.Errorf("asked for %v records a second, got %.3f", perSecond, got)
		}
	}
}
