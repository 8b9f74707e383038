package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seamline/seamline/schemas"
)

// rulesFile writes a file of identity rules.
func rulesFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// traces is everything that a dry run could leave behind: topics with their ends, groups, tables with their rows.
func (s *stand) traces() string {
	s.t.Helper()
	opts, err := s.settings.Kafka.Options()
	if err != nil {
		s.t.Fatal(err)
	}
	client, err := kgo.NewClient(opts...)
	if err != nil {
		s.t.Fatal(err)
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	prefix, _, _ := strings.Cut(s.settings.Kafka.Clickstream, "clickstream")
	var out []string
	ends, err := admin.ListEndOffsets(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	ends.Each(func(o kadm.ListedOffset) {
		if strings.HasPrefix(o.Topic, prefix) {
			out = append(out, fmt.Sprint(o.Topic, " ", o.Partition, " ", o.Offset))
		}
	})
	offsets, err := admin.FetchOffsets(s.t.Context(), s.settings.PipelineID)
	if err == nil {
		offsets.Each(func(o kadm.OffsetResponse) {
			if strings.HasPrefix(o.Topic, prefix) {
				out = append(out, fmt.Sprint("committed ", o.Topic, " ", o.Partition, " ", o.At))
			}
		})
	}
	out = append(out, s.query("SELECT name, toString(total_rows) FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree'")...)
	slices.Sort(out)
	return strings.Join(out, "\n")
}

// dryRun compares rules, and checks what is printed.
func (s *stand) dryRun(inForce, other, source string) *dryReport {
	t := s.t
	t.Helper()
	settings := s.settings
	settings.Identity.Rules = inForce
	opt := dryRunOptions{rules: other, source: source, top: 5, log: settings.logger(testWriter{t})}
	if err := opt.validate(&settings, nil); err != nil {
		t.Fatal(err)
	}
	r, err := dryRun(t.Context(), &settings, opt)
	if err != nil {
		t.Fatal(err)
	}
	text, asJSON := printed(t, r)
	if all := text + asJSON; strings.Contains(all, "u-1") {
		t.Errorf("a value is shown:\n%s", all)
	}
	t.Logf("\n%s", text)
	return r
}

// printed gives a report as operators see it, and as programs do.
func printed(t *testing.T, report interface{ print(out io.Writer) error }) (text, asJSON string) {
	t.Helper()
	var plain, coded bytes.Buffer
	if err := show(&plain, false, report); err != nil {
		t.Fatal(err)
	}
	if err := show(&coded, true, report); err != nil || !json.Valid(coded.Bytes()) {
		t.Errorf("JSON: %v", err)
	}
	return plain.String(), coded.String()
}

// TestEndToEndDryRun: rules that let a tablet unite two users, the other way round, and rules under which profiles have other ids; nothing is
// touched.
func TestEndToEndDryRun(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.create()
	s.publish(identifies(1, `"anonymousId":"phone"`), identifies(2, `"anonymousId":"tablet","userId":"u-1"`), identifies(3, `"anonymousId":"phone","userId":"u-1"`),
		identifies(4, `"anonymousId":"tablet","userId":"u-2"`), identifies(5, `"anonymousId":"tv","userId":"u-3"`), identifies(5, `"anonymousId":"tv","userId":"u-3"`))
	s.run(nil)
	wide := rulesFile(t, "namespaces:\n  user_id: {class: personal, priority: 1, limit: 2, normalise: trim}\n")
	before := s.traces()
	if strings.Count(before, "\n") < 20 {
		t.Fatalf("the traces say little:\n%s", before)
	}
	decided := func(r *dryReport, decision, rule string) (before, after uint64) {
		for _, d := range r.Decisions {
			if d.Decision == decision && d.Rule == rule {
				return d.Before, d.After
			}
		}
		return 0, 0
	}
	r := s.dryRun("", wide, "topics")
	if r.Records != 6 || r.Events != 5 || r.Profiles != (beforeAfter{3, 2}) || r.Seen != (beforeAfter{3, 2}) || r.Gained != 1 || r.Lost != 0 {
		t.Errorf("wider: %+v", r)
	}
	if n, m := decided(r, "refused", "limit user_id 1"); n != 1 || m != 0 {
		t.Errorf("refused %d and %d times", n, m)
	}
	if len(r.GainedExamples) != 1 || len(r.GainedExamples[0].Parts) != 2 || len(r.GainedExamples[0].Links) != 1 || r.GainedExamples[0].Links[0].Time != schemas.TimeOf(start)+4*schemas.Minute {
		t.Errorf("wider: %+v", r.GainedExamples)
	}
	live := s.query("SELECT toString(profile_id) FROM events_resolved WHERE event_id = 'm1'")
	if len(r.Biggest.Before) != 3 || r.Biggest.Before[0].ProfileID.String() != live[0] || r.Biggest.After[0].Identifiers != 4 {
		t.Errorf("biggest: %+v", r.Biggest)
	}
	if r := s.dryRun(wide, rulesFile(t, "region: US\n"), "topics"); r.Gained != 0 || r.Lost != 1 || len(r.LostExamples) != 1 || len(r.LostExamples[0].Links) != 1 {
		t.Errorf("narrower: %+v", r)
	}
	if r := s.dryRun("", rulesFile(t, "namespaces:\n  anonymous_id: {class: evidence, priority: 7, normalise: trim}\n"), "topics"); r.ChangedID != 1 || r.Nobody != (beforeAfter{0, 1}) ||
		r.Lost != 0 || len(r.ChangedExamples) != 1 {
		t.Errorf("without anonymous ids: %+v", r)
	}
	r = s.dryRun("", wide, "log")
	if r.Gained != 1 || r.Lost != 0 || len(r.Notes) != 2 || len(r.GainedExamples) != 1 || r.GainedExamples[0].Whole.ProfileID != nil {
		t.Errorf("from the log: %+v", r)
	}
	if l := r.GainedExamples[0].Links; len(l) != 1 || l[0].A.Display != "tablet" || l[0].B.Display != "***" || l[0].A.ID == 0 {
		t.Errorf("from the log: %+v", l)
	}
	if after := s.traces(); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
	// Topics that do not exist yet are left out, and are not made.
	s.settings.Kafka.Identity += "-none"
	if r := s.dryRun("", wide, "topics"); r.Events != 5 {
		t.Errorf("without the topic of commands: %+v", r)
	}
	if after := s.traces(); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
}

func TestDryRunOptions(t *testing.T) {
	t.Parallel()
	f := func(want string, change func(o *dryRunOptions, s *settings)) {
		t.Helper()
		s := defaultSettings()
		s.Kafka.Brokers = "localhost:9092"
		o := dryRunOptions{rules: "x", source: "topics", top: 3}
		change(&o, &s)
		err := o.validate(&s, nil)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("got error %v, want %q", err, want)
		}
	}
	f("", func(*dryRunOptions, *settings) {})
	f("--rules is missing", func(o *dryRunOptions, _ *settings) { o.rules = "" })
	f("neither topics nor log", func(o *dryRunOptions, _ *settings) { o.source = "tables" })
	f("--top must be", func(o *dryRunOptions, _ *settings) { o.top = -1 })
	f("kafka.brokers", func(_ *dryRunOptions, s *settings) { s.Kafka.Brokers = "" })
	f("", func(o *dryRunOptions, s *settings) { o.source, s.Kafka.Brokers = "log", "" })
}

// TestEndToEndDryRunIsWhatRuns: the side of the rules in force is what the line made of the same topics, and equal rules change nothing.
func TestEndToEndDryRunIsWhatRuns(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.create()
	s.publish(streetTraffic(seeded(t), 30, 600)...)
	s.run(nil)
	settings := s.settings
	settings.Kafka.RecordsMax = 50
	r, err := dryRun(t.Context(), &settings, dryRunOptions{rules: rulesFile(t, "region: US\n"), source: "topics", top: 3, log: settings.logger(testWriter{t})})
	if err != nil {
		t.Fatal(err)
	}
	if r.Gained != 0 || r.Lost != 0 || r.ChangedID != 0 || r.Profiles.Before != r.Profiles.After || r.Seen.Before != r.Seen.After || r.Nobody.Before != r.Nobody.After {
		t.Errorf("equal rules: %+v", r)
	}
	s.expect("SELECT count() FROM events", fmt.Sprint(r.Events))
	s.expect("SELECT count() FROM profiles FINAL WHERE NOT deleted AND events > 0", fmt.Sprint(r.Seen.Before))
	var decisions []string
	for _, d := range r.Decisions {
		if d.Before != d.After {
			t.Errorf("equal rules decided otherwise: %+v", d)
		}
		decisions = append(decisions, fmt.Sprintf("%s|%s|%d", d.Decision, d.Rule, d.Before))
	}
	s.expect(`SELECT toString(kind) AS k, if(startsWith(rule, 'command: '), 'command', if(startsWith(rule, 'erase: '), 'erase', toString(rule))) AS r, count()
		FROM identity_log FINAL GROUP BY k, r ORDER BY k, r`, decisions...)
	if len(r.Biggest.Before) != 3 {
		t.Fatalf("biggest: %+v", r.Biggest)
	}
	for _, p := range r.Biggest.Before {
		s.expect("SELECT identifiers, events FROM profiles FINAL WHERE profile_id = '"+p.ProfileID.String()+"'", fmt.Sprintf("%d|%d", p.Identifiers, p.Events))
	}
}
