package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/seamline/seamline/schemas"
	producer "github.com/seamline/seamline/sinks/kafka"
)

func TestParseMixed(t *testing.T) {
	t.Parallel()
	f := func(args, want string) {
		t.Helper()
		s := defaultSettings()
		fs := flag.NewFlagSet("x", flag.ContinueOnError)
		reason, forbid := fs.String("reason", "", ""), fs.Bool("forbid", false, "")
		got := "error"
		if err := s.parseMixed(fs, strings.Split(args, " ")); err == nil {
			got = fmt.Sprint(fs.Args(), *reason, *forbid, s.Kafka.Identity)
		}
		if got != want {
			t.Errorf("%s: got %s, want %s", args, got, want)
		}
	}
	f("a:1 b:2 --reason why --forbid", "[a:1 b:2]whytrueseamline.identity")
	f("--forbid a:1 --reason=why b:2", "[a:1 b:2]whytrueseamline.identity")
	f("--reason why --kafka.topics.identity t a:1", "[a:1]whyfalset")
	f("a:1 --forbid=false -- --reason b:2", "[a:1 --reason b:2]falseseamline.identity")
	f("a:1 --nonsense", "error")
	f("a:1 --reason", "error")
}

func TestParseIdentifiers(t *testing.T) {
	t.Parallel()
	f := func(want string, args ...string) {
		t.Helper()
		ids, err := parseIdentifiers(args, 1, 2)
		got := fmt.Sprint(ids)
		if err != nil {
			got = "error"
			for _, a := range args {
				if strings.Contains(err.Error(), a) {
					t.Errorf("the error tells a value: %v", err)
				}
			}
		}
		if got != want {
			t.Errorf("%q: got %s, want %s", args, got, want)
		}
	}
	f("[{email a@example.com}]", "email:a@example.com")
	f("[{order_id shop:7} {user_id u}]", "order_id:shop:7", " user_id:u")
	f("error")
	f("error", "no-namespace")
	f("error", ":x4")
	f("error", "phone: ")
	f("error", "a:x1", "b:x2", "c:x3")
}

// deskOf opens a desk over the stand's tables.
func (s *stand) deskOf() *identityDesk {
	s.t.Helper()
	desk, err := openDesk(&s.settings)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		if err := desk.reader.Close(); err != nil {
			s.t.Error(err)
		}
	})
	return desk
}

func identifierOf(t *testing.T, text string) schemas.Identifier {
	t.Helper()
	id, err := parseIdentifier(text)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// identifies is an event with some identifiers, a minute after the one before.
func identifies(n int, ids string) producer.Message {
	when := start.Add(time.Duration(n) * time.Minute)
	return message(schemas.FeedClickstream, when, fmt.Sprintf(`{"type":"track","event":"Store Locator Used","messageId":"m%d",%s,"timestamp":"%s"}`, n, ids, when.Format(time.RFC3339)))
}

// TestEndToEndExplain: the chain between two identifiers, what keeps two apart, and both as they were before.
func TestEndToEndExplain(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.create()
	s.publish(identifies(1, `"anonymousId":"phone"`), identifies(2, `"anonymousId":"laptop"`), identifies(3, `"anonymousId":"phone","userId":"u-1"`),
		identifies(4, `"anonymousId":"laptop","userId":"u-1"`), identifies(5, `"anonymousId":"laptop","userId":"u-1"`),
		identifies(6, `"anonymousId":"tablet","userId":"u-2"`), identifies(7, `"anonymousId":"laptop","userId":"u-2"`))
	s.run(nil)
	desk := s.deskOf()
	ask := func(a, b string, asOf int) *explanation {
		t.Helper()
		at := schemas.Time(0)
		if asOf > 0 {
			at = schemas.TimeOf(start.Add(time.Duration(asOf) * time.Minute))
		}
		e, err := desk.explain(t.Context(), identifierOf(t, a), identifierOf(t, b), at)
		if err != nil {
			t.Fatal(err)
		}
		var text bytes.Buffer
		if err := e.print(&text); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(text.String(), "u-1") {
			t.Errorf("a value is shown:\n%s", text.String())
		}
		t.Logf("\n%s", text.String())
		return e
	}
	e := ask("anonymous_id:phone", "anonymous_id:laptop", 0)
	if !e.Together || len(e.Chain) != 2 || e.Chain[0].To.Namespace != "user_id" || !strings.Contains(e.Summary, "in hands now") {
		t.Fatalf("got %+v", e)
	}
	if c := e.Chain[1]; c.Events != 2 || c.First.ID != "m4" || c.First.Source != "segment" || c.First.Type != "custom" || c.Last.ID != "m5" || c.Decision != "merged" {
		t.Errorf("second step: %+v", c)
	}
	if e := ask("anonymous_id:phone", "anonymous_id:laptop", 3); e.Together || len(e.Chain) != 0 || *e.A.ProfileID == (schemas.ProfileID{}) || !strings.Contains(e.Summary, "no event connects") {
		t.Errorf("before they met: %+v", e)
	}
	if e := ask("anonymous_id:phone", "anonymous_id:laptop", 4); !e.Together || *e.A.ProfileID != *e.B.ProfileID || e.Chain[1].Events != 1 {
		t.Errorf("when they met: %+v", e)
	}
	e = ask("anonymous_id:phone", "anonymous_id:tablet", 0)
	if e.Together || !strings.Contains(e.Summary, "refused (limit user_id 1)") || len(e.Chain) == 0 {
		t.Errorf("refused: %+v", e)
	}
	for _, bad := range []string{"user_id:u-9", "user_id:null"} {
		_, err := desk.explain(t.Context(), identifierOf(t, "anonymous_id:phone"), identifierOf(t, bad), 0)
		if err == nil || !errors.Is(err, errUnknown) && !errors.Is(err, errNamesNobody) || strings.Contains(err.Error(), "u-9") {
			t.Errorf("%s: error %v", bad, err)
		}
	}
	bio, err := desk.explainOne(t.Context(), identifierOf(t, "anonymous_id:laptop"), 0)
	if err != nil || len(bio.History) < 3 || bio.Identifier.ProfileID == nil || bio.Since == nil || *bio.Since != schemas.TimeOf(start.Add(7*time.Minute)) {
		t.Errorf("biography: %+v, error %v", bio, err)
	}
	var text bytes.Buffer
	if err := show(&text, true, bio); err != nil || !json.Valid(text.Bytes()) {
		t.Errorf("biography as JSON: %v\n%s", err, text.String())
	}
	text.Reset()
	if err := bio.print(&text); err != nil || !strings.Contains(text.String(), "It belongs to profile "+bio.Identifier.ProfileID.String()+" since 2026-09-01T12:07:00.000Z") {
		t.Errorf("biography as text: %v\n%s", err, text.String())
	}
	was, err := desk.explainOne(t.Context(), identifierOf(t, "anonymous_id:laptop"), schemas.TimeOf(start.Add(5*time.Minute)))
	if err != nil || was.Identifier.ProfileID == nil || *was.Identifier.ProfileID == *bio.Identifier.ProfileID || was.Since == nil || *was.Since != schemas.TimeOf(start.Add(4*time.Minute)) {
		t.Errorf("biography as of before: %+v, error %v", was, err)
	}
}
