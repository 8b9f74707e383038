package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	consumer "github.com/seamline/seamline/consumers/kafka"
	"github.com/seamline/seamline/schemas"
	"github.com/seamline/seamline/sinks/clickhouse"
)

// live runs the pipeline until the test ends, or the function that it gives is called.
func (s *stand) live() (stop func()) {
	s.t.Helper()
	ctx, cancel := context.WithCancel(s.t.Context())
	ended := make(chan error, 1)
	settings := s.settings
	go func() { ended <- runPipeline(ctx, &settings, runOptions{log: settings.logger(testWriter{s.t})}) }()
	isOver := false
	stop = func() {
		if isOver {
			return
		}
		isOver = true
		cancel()
		if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
			s.t.Errorf("the run ended with %v", err)
		}
	}
	s.t.Cleanup(stop)
	return stop
}

// orderOf is a command as the command line reads it.
func orderOf(t *testing.T, id, kind, a, b string) *order {
	t.Helper()
	o := &order{ID: id, Kind: kind, A: identifierOf(t, a), Reason: "a test"}
	if b != "" {
		end := identifierOf(t, b)
		o.B = &end
	}
	return o
}

// TestEndToEndCommands: a link is taken back while the line runs, an identifier is quarantined, released and erased, and each says what
// came of it.
func TestEndToEndCommands(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.create()
	s.settings.HTTPToken = testToken
	s.publish(identifies(1, `"anonymousId":"phone"`), identifies(2, `"anonymousId":"laptop"`), identifies(3, `"anonymousId":"phone","userId":"u-1"`),
		identifies(4, `"anonymousId":"laptop","userId":"u-1"`), identifies(5, `"anonymousId":"laptop"`))
	s.run(nil)
	s.expect("SELECT uniqExact(profile_id) FROM events_resolved", "1")
	desk := s.deskOf()
	defer s.live()()
	do := func(o *order) *outcome {
		t.Helper()
		given, err := desk.give(t.Context(), &s.settings, o)
		if err != nil {
			t.Fatalf("give %s: %v", o.ID, err)
		}
		done, err := desk.await(t.Context(), &s.settings, given, waitOptions{timeout: time.Minute})
		if err != nil {
			t.Fatalf("await %s: %v", o.ID, err)
		}
		return done
	}
	refuse := func(o *order, want error, part string) {
		t.Helper()
		if _, err := desk.give(t.Context(), &s.settings, o); !errors.Is(err, want) || !strings.Contains(err.Error(), part) {
			t.Errorf("%s of %s: error %v, want %v with %q", o.Kind, o.A.Value, err, want, part)
		}
	}
	const laptop, phone, user = "anonymous_id:laptop", "anonymous_id:phone", "user_id:u-1"
	refuse(orderOf(t, "c0", "retract", phone, laptop), errNoLink, "anonymous_id phone - user_id *** - anonymous_id laptop")
	refuse(orderOf(t, "c0", "release", phone, ""), errAlready, "not quarantined")
	refuse(orderOf(t, "c0", "retract", phone, "user_id:u-9"), errUnknown, "b (user_id)")

	got := do(orderOf(t, "c1", "retract", laptop, user))
	if got.ProfilesSplit != 1 || got.AliasesTakenBack != 1 || got.EventsReattributed != 2 || got.Decisions < 2 {
		t.Errorf("retract: %+v", got)
	}
	s.expect("SELECT uniqExact(profile_id), count() FROM events_resolved", "2|5")
	if again := do(orderOf(t, "c1", "retract", laptop, user)); again.ProfilesSplit != 1 || again.EventsReattributed != 2 {
		t.Errorf("the same id again: %+v", again)
	}
	s.expect("SELECT countIf(kind = 'retracted') FROM identity_log FINAL", "1")
	// An event's id is no command's.
	refuse(orderOf(t, "m3", "retract", laptop, user), errRetracted, "already")
	refuse(orderOf(t, "c2", "retract", laptop, user), errRetracted, "already")
	e, err := desk.explain(t.Context(), identifierOf(t, laptop), identifierOf(t, phone), 0)
	if err != nil || e.Together || !strings.Contains(e.Summary, "was retracted") || !strings.Contains(e.Summary, "command: a test") {
		t.Errorf("explain: %+v, error %v", e, err)
	}

	do(orderOf(t, "c3", "quarantine", phone, ""))
	s.expect("SELECT display FROM identifiers FINAL WHERE quarantined", "phone")
	refuse(orderOf(t, "c4", "quarantine", phone, ""), errAlready, "quarantined already")
	do(orderOf(t, "c4", "release", phone, ""))
	s.expect("SELECT count() FROM identifiers FINAL WHERE quarantined", "0")
	if e, err := desk.explain(t.Context(), identifierOf(t, phone), identifierOf(t, user), 0); err != nil || !e.Together {
		t.Errorf("after the release: %+v, error %v", e, err)
	}
	var text bytes.Buffer
	if err := do(orderOf(t, "c5", "erase", user, "")).print(&text); err != nil || !strings.Contains(text.String(), "erase c5 was carried out") {
		t.Errorf("erase: %v, %s", err, text.String())
	}
	refuse(orderOf(t, "c6", "retract", phone, user), errUnknown, "")

	s.retractOverHTTP()
}

// retractOverHTTP takes a link back over HTTP, twice under one id, while the line runs.
func (s *stand) retractOverHTTP() {
	t := s.t
	t.Helper()
	ask := apiServer(t, &s.settings, t.Output())
	s.publish(identifies(20, `"anonymousId":"tv","userId":"u-3"`), identifies(21, `"anonymousId":"tv","userId":"u-3"`))
	s.await("SELECT count() FROM events", "7")
	s.await("SELECT count() FROM identity_log WHERE event_id = 'm20'", "1") // a batch's tables are not written at one instant
	body := `{"id":"c7","a":"anonymous_id:tv","b":"user_id:u-3","forbid":true,"reason":"a test"}`
	status, _, answer := ask("POST", "/v1/identity/retract?wait=60s", "Bearer "+testToken, body)
	var done struct {
		ID            string `json:"id"`
		Done          bool   `json:"done"`
		ProfilesSplit int    `json:"profiles_split"`
	}
	if err := json.Unmarshal([]byte(answer), &done); err != nil || status != 200 || !done.Done || done.ProfilesSplit != 1 || done.ID != "c7" {
		t.Errorf("over HTTP: %d, %s, %v", status, answer, err)
	}
	if status, _, answer := ask("POST", "/v1/identity/retract", "Bearer "+testToken, body); status != 202 || !strings.Contains(answer, `"done":true`) {
		t.Errorf("over HTTP, again: %d, %s", status, answer)
	}
}

// await waits until a query gives a value.
func (s *stand) await(sql, want string) {
	s.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; {
		got := s.one(sql)
		if got == want {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("%s: got %s, want %s", sql, got, want)
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-s.t.Context().Done():
			s.t.Fatal(s.t.Context().Err())
		}
	}
}

// TestEndToEndCommandNobodyTakes: without a line the wait ends with an error that says so, and the command is carried out later, once,
// whatever is read again.
func TestEndToEndCommandNobodyTakes(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.create()
	pair := `"anonymousId":"phone","userId":"u-1"`
	s.publish(identifies(1, `"anonymousId":"phone"`), identifies(2, pair))
	s.run(nil)
	desk := s.deskOf()
	given, err := desk.give(t.Context(), &s.settings, orderOf(t, "c1", "retract", "anonymous_id:phone", "user_id:u-1"))
	if err != nil {
		t.Fatal(err)
	}
	var lines bytes.Buffer
	_, err = desk.await(t.Context(), &s.settings, given, waitOptions{timeout: 300 * time.Millisecond, out: &lines})
	if !errors.Is(err, errNotYet) || !strings.Contains(err.Error(), "nobody processes topic "+s.settings.Kafka.Identity) {
		t.Errorf("nobody takes it: %v", err)
	}
	s.run(nil)
	done, err := desk.await(t.Context(), &s.settings, given, waitOptions{timeout: time.Minute})
	if err != nil || done.ProfilesSplit != 1 {
		t.Errorf("later: %+v, error %v", done, err)
	}
	s.settings.Dedup.Window = time.Minute // forgotten long ago: the tables know
	later := int(time.Since(start)/time.Minute) + 60
	s.publish(identifies(300, pair), identifies(later, pair)) // the link is back
	s.run(nil)
	s.expect("SELECT count() FROM profiles FINAL WHERE NOT deleted", "1")
	for range 2 {
		opt := &replayOptions{runOptions: runOptions{log: s.settings.logger(testWriter{t}), rewind: &rewind{topic: s.settings.Kafka.Identity, at: start.Add(-time.Hour)}}}
		if err := replayTopic(t.Context(), &s.settings, opt); err != nil {
			t.Fatal(err)
		}
	}
	s.expect("SELECT countIf(kind = 'retracted'), (SELECT countIf(rewind) FROM commits) FROM identity_log FINAL", "1|2")
	s.expect("SELECT count() FROM profiles FINAL WHERE NOT deleted", "1")

	// What is no command says so, and does not stop the line.
	bad := orderOf(t, strings.Repeat("x", 200), "retract", "anonymous_id:phone", "user_id:u-1")
	place, err := publishOrder(t.Context(), &s.settings.Kafka, bad)
	if err != nil {
		t.Fatal(err)
	}
	s.run(nil)
	_, err = desk.await(t.Context(), &s.settings, &givenOrder{order: *bad, place: place}, waitOptions{timeout: time.Minute})
	if !errors.Is(err, clickhouse.ErrCommandRefused) || !strings.Contains(err.Error(), "id is longer than 128 bytes") {
		t.Errorf("a refused command: %v", err)
	}
	s.settings.Kafka.Identity += "-none"
	if _, err := publishOrder(t.Context(), &s.settings.Kafka, bad); err == nil || !errors.Is(err, consumer.ErrNoTopic) {
		t.Errorf("without the topic: %v", err)
	}
}

func TestOrderCheck(t *testing.T) {
	t.Parallel()
	f := func(want string, change func(o *order)) {
		t.Helper()
		o := orderOf(t, "id", schemas.CommandRetract.String(), "user_id:u", "email:e")
		change(o)
		err := o.check()
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("got error %v, want %q", err, want)
		}
	}
	f("", func(*order) {})
	f("", func(o *order) { o.Forbid = true })
	f("reason is missing", func(o *order) { o.Reason = " " })
	f("longer than 200", func(o *order) { o.Reason = strings.Repeat("x", 201) })
	f("between 1 and 128", func(o *order) { o.ID = "" })
	f("name both", func(o *order) { o.B, o.Forbid = nil, true })
	f("same identifier", func(o *order) { o.B = &o.A })
}
