package email

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/seamline/seamline/deploy/shoppers"
	"github.com/seamline/seamline/schemas"
)

// stepTypes gives the canonical type of each step in the life of a message that the generator simulates.
var stepTypes = map[string]schemas.Type{
	"sent": schemas.TypeMessageSent, "deferred": schemas.TypeMessageDeferred, "delivered": schemas.TypeMessageDelivered,
	"bounced": schemas.TypeMessageBounce, "machine open": schemas.TypeMessageOpen, "open": schemas.TypeMessageOpen,
	"click": schemas.TypeMessageClick, "unsubscribed": schemas.TypeMessageUnsubscribe, "complained": schemas.TypeMessageComplaint,
}

// mailFormats gives the source of each wire format of messages.
var mailFormats = map[string]string{
	"sendgrid": sourceSendGrid, "mailgun": sourceMailgun, "postmark": sourcePostmark, "ses-sns": sourceSES, "ses": sourceSES,
	"brevo": sourceBrevo, "segment-email": "segment",
}

// tally is what came of a run.
type tally struct {
	events   map[string]int // distinct ones, by source and type
	rejects  map[string]int
	machine  int
	human    int
	repeated int
	seen     map[[2]string]bool
	people   map[string]int // by address
}

// simulate decodes all e-mail records of a run.
func simulate(t *testing.T) (*tally, *shoppers.Truth) {
	t.Helper()
	cfg := shoppers.DefaultConfig()
	cfg.Seed, cfg.Shoppers, cfg.Duration = 20260301, 1200, 72*time.Hour
	cfg.SessionsPerDay, cfg.MailsPerDay, cfg.MalformedShare, cfg.EventTruth = 0.6, 4, 0.01, true
	t.Logf("seed %d", cfg.Seed)
	generator := shoppers.New(cfg)
	decoder, out := New(DefaultConfig(), calls()), new(schemas.Decoded)
	sum := &tally{events: map[string]int{}, rejects: map[string]int{}, seen: map[[2]string]bool{}, people: map[string]int{}}
	type judged struct {
		id, address string
	}
	var later []judged
	for {
		r, ok := generator.Next()
		if !ok {
			break
		}
		if r.Topic != shoppers.TopicEmail {
			continue
		}
		value := r.Value
		if value[0] == 0 {
			value = value[5:] // the frame of a schema registry client
		}
		record := &schemas.Record{Topic: r.Topic, Feed: schemas.FeedEmail, Time: schemas.TimeOf(r.Time), Value: r.Value}
		out.Reset()
		out.Begin(record)
		decoder.Decode(record, value, out)
		suite.Check(t, out)
		for i := range out.Events {
			if address, fresh := sum.add(t, &out.Events[i]); fresh {
				later = append(later, judged{strings.Clone(out.Events[i].ID), address})
			}
		}
		for _, reject := range out.Rejects {
			sum.rejects[string(reject.Reason)]++
		}
		if len(out.Dropped) > 0 {
			t.Fatalf("dropped %+v", out.Dropped)
		}
	}
	truth := generator.Truth()
	for _, id := range truth.Identifiers {
		if id.Namespace == schemas.NamespaceEmail {
			sum.people[id.Value] = id.Person
		}
	}
	known := 0
	for _, j := range later {
		id, _, _ := strings.Cut(j.id, "/")
		whose, found := truth.Event(id)
		if !found {
			continue
		}
		known++
		if person, ok := sum.people[strings.ToLower(j.address)]; !ok || person != whose.Person {
			t.Fatalf("event %s is of person %d, its address of person %d", j.id, whose.Person, person)
		}
	}
	if known < len(later)/3 {
		t.Errorf("the generator knows only %d of %d events by their id", known, len(later))
	}
	return sum, truth
}

// add counts one event, unless it was sent before, and gives the address it is about.
func (sum *tally) add(t *testing.T, e *schemas.Event) (address string, fresh bool) {
	key := [2]string{e.Source, strings.Clone(e.ID)}
	if sum.seen[key] {
		sum.repeated++
		return "", false
	}
	sum.seen[key] = true
	sum.events[e.Source+" "+e.Type.String()]++
	if e.Type == schemas.TypeMessageOpen {
		if e.Machine {
			sum.machine++
		} else {
			sum.human++
		}
	} else if e.Machine {
		t.Errorf("a machine did %s", e.Type)
	}
	for _, id := range e.Identifiers {
		if id.Namespace == schemas.NamespaceEmail {
			address = strings.Clone(id.Value)
		}
	}
	if address == "" || e.Source != "segment" && e.MessageID == "" {
		t.Errorf("an event without address or message id: %+v", e)
	}
	if e.Source != "segment" && (e.Campaign.ID == "" || e.Campaign.Name == "") {
		t.Errorf("an event without campaign: %+v", e)
	}
	return address, true
}

// Every event that the generator made is read, once and as what it is, and every record that it spoilt is refused for its reason.
func TestGeneratedTraffic(t *testing.T) {
	t.Parallel()
	sum, truth := simulate(t)
	want, total := map[string]int{}, 0
	for format, n := range truth.Counts.ByFormat {
		provider, step, _ := strings.Cut(format, "/")
		if source, ok := mailFormats[provider]; ok && n > 0 {
			want[source+" "+stepTypes[step].String()] += n
			total += n
		}
	}
	if !maps.Equal(sum.events, want) {
		t.Errorf("events\n got %v\nwant %v", sum.events, want)
	}
	for _, kind := range stepTypes {
		got := 0
		for _, source := range []string{sourceSendGrid, sourceMailgun, sourcePostmark, sourceSES, sourceBrevo, "segment"} {
			got += sum.events[source+" "+kind.String()]
		}
		if n := truth.Counts.ByType[kind.String()]; got != n || n == 0 {
			t.Errorf("%d events of type %s, want %d", got, kind, n)
		}
	}
	if sum.machine != truth.Counts.MachineOpens || sum.human != truth.Counts.HumanOpens || sum.machine == 0 || sum.human == 0 {
		t.Errorf("%d opens by machines and %d by people, want %d and %d", sum.machine, sum.human, truth.Counts.MachineOpens, truth.Counts.HumanOpens)
	}
	if refused := truth.Counts.Malformed[shoppers.TopicEmail]; !maps.Equal(sum.rejects, refused) || len(refused) < 3 {
		t.Errorf("rejects\n got %v\nwant %v", sum.rejects, refused)
	}
	if sum.repeated == 0 {
		t.Error("nothing was sent twice")
	}
	t.Logf("%d events, %d sent again, %d opens by machines", total, sum.repeated, sum.machine)
}
