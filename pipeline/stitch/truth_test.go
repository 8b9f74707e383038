package stitch

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seamline/seamline/consumers/clickstream"
	"github.com/seamline/seamline/consumers/decode"
	mail "github.com/seamline/seamline/consumers/email"
	"github.com/seamline/seamline/consumers/pos"
	"github.com/seamline/seamline/deploy/shoppers"
	"github.com/seamline/seamline/schemas"
)

// What the shipped rules must reach against the generator's truth.
const (
	truthPrecisionMin = 0.999
	truthRecallMin    = 0.95
	truthKey          = "truth"
)

// TestGroundTruth stitches the traffic of simulated shoppers, of which 1 % of the sessions are at kiosks, 5 % of the persons share a tablet
// with their household, and 0.1 % of the clickstream events carry a placeholder and 0.1 % of the receipts, identify calls and app
// sessions a made-up value: a cashier's card, the shop's own address, an address such as x@x.example, zeros. It measures pairs of
// identifiers that are each one person's alone:
//
//	precision: of the pairs that stitching puts together, those that are of one person
//	recall: of the pairs that records tie together, in one or more steps over the person's own identifiers, those that stitching puts together
//
// Plain connected components of the same records stand beside it, with all values and without those of the shipped list of placeholders.
func TestGroundTruth(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("two weeks of 5,000 shoppers are for runs that are not short")
	}
	cfg := shoppers.DefaultConfig()
	if *seed != 0 {
		cfg.Seed = *seed
	}
	cfg.Shoppers, cfg.Duration, cfg.SessionsPerDay, cfg.EventTruth = 5000, 14*24*time.Hour, 0.4, true
	cfg.KioskShare, cfg.SharedDeviceShare, cfg.PlaceholderShare, cfg.FillerShare = 0.01, 0.05, 0.001, 0.001
	t.Logf("seed %d", cfg.Seed)
	j := newJudged(t)
	truth := j.traffic(shoppers.New(cfg))
	t.Logf("%d events of %d persons: %d at kiosks, %d on shared tablets, %d with placeholders, %d with made-up values", truth.Counts.Events,
		len(truth.Persons), truth.Counts.Kiosk, truth.Counts.Shared, truth.Counts.Placeholders, truth.Counts.Fillers)
	t.Logf("%-44s %9s %9s %9s %15s", "pairs of identifiers", "precision", "recall", "pairs", "most persons in one")
	judge := func(name string, group grouping) shoppers.Accuracy {
		a := truth.Judge(group)
		t.Logf("%-44s %9.6f %9.6f %9d %15d", name, a.Precision, a.Recall, a.Pairs, mostPersons(truth, group))
		return a
	}
	judge("plain components, all values", j.plain.group)
	listed := judge("plain components, no listed placeholders", j.listed.group)
	a := judge("the shipped rules", j.stitched(truth))
	j.judgeEvents(truth)
	if n := truth.Counts; n.Kiosk == 0 || n.Shared == 0 || n.Placeholders == 0 || n.Fillers == 0 || listed.Precision >= truthPrecisionMin {
		t.Errorf("the noise glues nobody, so that nothing is shown: plain components have precision %.6f", listed.Precision)
	}
	if a.Precision < truthPrecisionMin {
		t.Errorf("precision is %.6f, want at least %v", a.Precision, truthPrecisionMin)
	}
	if a.Recall < truthRecallMin {
		t.Errorf("recall is %.6f, want at least %v", a.Recall, truthRecallMin)
	}
	j.reportMistakes(truth)
}

// grouping gives the group of an identifier, and false where it was never seen.
type grouping func(namespace, value string) (string, bool)

// mostPersons gives the largest number of persons whose own identifiers are in one group.
func mostPersons(truth *shoppers.Truth, group grouping) int {
	type member struct {
		group  string
		person int
	}
	seen, persons, most := map[member]bool{}, map[string]int{}, 0
	for _, id := range truth.Identifiers {
		name, ok := group(id.Namespace, id.Value)
		if at := (member{name, id.Person}); ok && id.Owner == shoppers.OwnerPerson && !seen[at] {
			seen[at] = true
			persons[name]++
			most = max(most, persons[name])
		}
	}
	return most
}

// judged takes records through decoders and the stage, and the same events through plain components.
type judged struct {
	t      *testing.T
	decode *decode.Stage
	stage  *Stage
	plain  *components // of all values
	listed *components // without the placeholders of the shipped list
	batch  schemas.Batch
	seen   map[string]bool // ids of events
	events []judgedEvent
}

type judgedEvent struct {
	id   string
	leaf uint32
}

func newJudged(t *testing.T) *judged {
	calls, reg, rules := clickstream.New(clickstream.DefaultConfig()), prometheus.NewRegistry(), DefaultRules()
	j := &judged{t: t, stage: New(rules, []byte(truthKey), nil, reg), seen: map[string]bool{}}
	j.decode = decode.New(decode.DefaultConfig(), map[schemas.Feed]schemas.Decoder{schemas.FeedClickstream: calls,
		schemas.FeedEmail: mail.New(mail.DefaultConfig(), calls), schemas.FeedPOS: pos.New(pos.DefaultConfig())}, reg)
	j.plain = &components{rules: rules, ids: map[string]int{}}
	j.listed = &components{rules: rules, ids: map[string]int{}, isListed: true}
	return j
}

// traffic processes all records.
func (j *judged) traffic(g *shoppers.Generator) *shoppers.Truth {
	j.t.Helper()
	const size = 5000
	for offset := int64(0); ; {
		j.batch.Reset()
		for len(j.batch.Records) < size {
			r, ok := g.Next()
			if !ok {
				break
			}
			record := schemas.Record{Topic: r.Topic, Feed: schemas.Feed(r.Topic), Offset: offset, Time: schemas.TimeOf(r.Time), Key: r.Key, Value: r.Value}
			for _, h := range r.Headers {
				record.Headers = append(record.Headers, schemas.Header{Key: h.Key, Value: h.Value})
			}
			j.batch.Records = append(j.batch.Records, record)
			offset++
		}
		if len(j.batch.Records) == 0 {
			return g.Truth()
		}
		j.process(&j.batch)
	}
}

func (j *judged) process(b *schemas.Batch) {
	j.t.Helper()
	if err := j.decode.Apply(b); err != nil {
		j.t.Fatal(err)
	}
	for i := range b.Rejects {
		j.t.Errorf("refused: %s %s", b.Rejects[i].Reason, b.Rejects[i].Detail)
	}
	b.Events = slices.DeleteFunc(b.Events, func(e *schemas.Event) bool {
		key := e.Source + " " + e.ID
		again := j.seen[key]
		j.seen[key] = true
		return again
	})
	for _, e := range b.Events {
		j.plain.add(e)
		j.listed.add(e)
	}
	apply(j.t, j.stage, b)
	for _, e := range b.Events {
		j.events = append(j.events, judgedEvent{strings.Clone(e.ID), e.Leaf})
	}
}

// inNamespace lists the namespaces of ours in which an identifier of the truth can be.
func inNamespace(namespace string) []string {
	if namespace == "pos_customer_id" {
		return []string{"square_customer_id", "shopify_customer_id", "lightspeed_customer_id"}
	}
	return []string{namespace}
}

// stitched gives the groups that the stage made: an identifier is in the profile in whose hands it is.
func (j *judged) stitched(truth *shoppers.Truth) grouping {
	names, found := map[schemas.Identifier]IdentifierName{}, map[IdentifierName]uint32{}
	for _, id := range truth.Identifiers {
		for _, ns := range inNamespace(id.Namespace) {
			if hash, ok := j.stage.rules.Hash([]byte(truthKey), ns, id.Value); ok {
				name := IdentifierName{ns, hash}
				names[schemas.Identifier{Namespace: ns, Value: id.Value}], found[name] = name, 0
			}
		}
	}
	j.stage.Find(found)
	return func(namespace, value string) (string, bool) {
		for _, ns := range inNamespace(namespace) {
			if id := found[names[schemas.Identifier{Namespace: ns, Value: value}]]; id != 0 {
				return j.stage.Identifier(id).ProfileID.String(), true
			}
		}
		return "", false
	}
}

// judgeEvents prints precision and recall over pairs of events. Recall is of all pairs of one person, whether or not records tie them.
func (j *judged) judgeEvents(truth *shoppers.Truth) {
	type cell struct {
		profile uint32
		person  int
	}
	pairs := func(n int) float64 { return float64(n) * float64(n-1) / 2 }
	for _, own := range []bool{true, false} {
		profiles, persons, both := map[uint32]int{}, map[int]int{}, map[cell]int{}
		for _, e := range j.events {
			who, known := truth.Event(e.id)
			if !known || who.Person < 0 || own && !who.Identified {
				continue
			}
			persons[who.Person]++
			if e.leaf != 0 {
				p := j.stage.Owner(e.leaf)
				profiles[p]++
				both[cell{p, who.Person}]++
			}
		}
		var together, of, right float64
		for _, n := range profiles {
			together += pairs(n)
		}
		for _, n := range persons {
			of += pairs(n)
		}
		for _, n := range both {
			right += pairs(n)
		}
		what := "pairs of events, also those at kiosks and on shared tablets"
		if own {
			what = "pairs of events that carry an identifier of their person's own"
		}
		j.t.Logf("%s: precision %.6f, recall of all pairs of a person %.6f (%.0f pairs)", what, right/together, right/of, of)
	}
}

// reportMistakes tells of some groups with several persons what is in them.
func (j *judged) reportMistakes(truth *shoppers.Truth) {
	group := j.stitched(truth)
	members, persons := map[string][]string{}, map[string]map[int]bool{}
	for _, id := range truth.Identifiers {
		name, ok := group(id.Namespace, id.Value)
		if !ok {
			continue
		}
		members[name] = append(members[name], fmt.Sprintf("%s=%s of %s %d", id.Namespace, id.Value, id.Owner, id.Person))
		if id.Owner == shoppers.OwnerPerson {
			if persons[name] == nil {
				persons[name] = map[int]bool{}
			}
			persons[name][id.Person] = true
		}
	}
	shown := 0
	for _, name := range slices.Sorted(maps.Keys(persons)) {
		if len(persons[name]) > 1 && shown < mistakesShown {
			shown++
			j.t.Logf("one profile of %d persons:\n\t%s", len(persons[name]), strings.Join(members[name], "\n\t"))
		}
	}
}

// mistakesShown bounds what a test prints.
const mistakesShown = 5

// components are plain connected components: whoever shares a value is one, whatever the rules say about limits, kiosks and crowds.
type components struct {
	rules    *Rules
	isListed bool // placeholders of the shipped list are left out
	ids      map[string]int
	parents  []int
}

func (c *components) add(e *schemas.Event) {
	first := -1
	for _, raw := range e.Identifiers {
		ns := c.rules.namespace(raw.Namespace)
		value, ok := normalise(ns.Normalise, raw.Value, c.rules.Region)
		if !ok || ns.Class == schemas.ClassEvidence || c.isListed && c.rules.isBlocked(ns, value) {
			continue
		}
		key := ns.Name + " " + value
		id, known := c.ids[key]
		if !known {
			id = len(c.parents)
			c.ids[strings.Clone(key)], c.parents = id, append(c.parents, id)
		}
		if first < 0 {
			first = c.find(id)
		} else {
			c.parents[c.find(id)] = first
		}
	}
}

func (c *components) find(id int) int {
	for c.parents[id] != id {
		c.parents[id] = c.parents[c.parents[id]]
		id = c.parents[id]
	}
	return id
}

func (c *components) group(namespace, value string) (string, bool) {
	for _, name := range inNamespace(namespace) {
		ns := c.rules.namespace(name)
		normal, ok := normalise(ns.Normalise, value, c.rules.Region)
		if id, known := c.ids[ns.Name+" "+normal]; ok && known {
			return strconv.Itoa(c.find(id)), true
		}
	}
	return "", false
}
