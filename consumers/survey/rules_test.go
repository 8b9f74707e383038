package survey

import (
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/seamline/seamline/consumers/field"
	"github.com/seamline/seamline/consumers/goldentest"
	"github.com/seamline/seamline/schemas"
)

func answered(members string) string {
	return `{"time":"2026-03-01T10:00:00Z","survey_id":"s","customer":{"user_id":"customer-17"},` + members + `}`
}

// TestScales: each whole number of a scale is an answer, and nothing else is.
func TestScales(t *testing.T) {
	t.Parallel()
	f := func(members, want string) {
		t.Helper()
		out := decode(t, DefaultConfig(), answered(members))
		got := ""
		if len(out.Rejects) > 0 {
			got = out.Rejects[0].Detail
		} else {
			a := out.Events[0].Answer
			got = fmt.Sprint(a.Survey, " ", a.Kind, " ", a.Score)
		}
		if got != want {
			t.Errorf("%s gives %q; want %q", members, got, want)
		}
	}
	for score := -3; score <= 13; score++ {
		want := fmt.Sprintf("s nps %d", score)
		if score < 0 || score > 10 {
			want = field.SurveyScoreBad
		}
		f(fmt.Sprintf(`"kind":"nps","score":%d`, score), want)
		f(fmt.Sprintf(`"kind":"nps","score":"%d.0"`, score), want)
		want = fmt.Sprintf("s csat %d", score)
		if score < 1 || score > 5 {
			want = field.SurveyScoreBad
		}
		f(fmt.Sprintf(`"kind":"CSAT","score":%d`, score), want)
	}
	for _, bad := range []string{"0.5", "1e9", `"five"`, "true", "{}", "[5]", `""`} {
		f(`"kind":"nps","score":`+bad, field.SurveyScoreBad)
	}
	f(`"kind":"nps","score":null`, "score")
	f(`"kind":"thumbs","score":1`, "kind is none of nps, csat")
}

func TestEventIDs(t *testing.T) {
	t.Parallel()
	id := func(members string) string { return decode(t, DefaultConfig(), answered(members)).Events[0].ID }
	if id(`"answer_id":"1","kind":"nps","score":5`) != id(`"answer_id":"1","kind":"nps","score":6`) {
		t.Error("an answer that is sent again is another")
	}
	if id(`"answer_id":"1","kind":"nps","score":5`) == id(`"answer_id":"2","kind":"nps","score":5`) || id(`"kind":"nps","score":5`) == id(`"kind":"nps","score":6`) {
		t.Error("two answers are one")
	}
}

func TestChannels(t *testing.T) {
	t.Parallel()
	f := func(members string, want schemas.Channel) {
		t.Helper()
		if got := decode(t, DefaultConfig(), answered(members+`"kind":"nps","score":5`)).Events[0].Channel; got != want {
			t.Errorf("%s is of channel %s; want %s", members, got, want)
		}
	}
	f(``, schemas.ChannelWeb)
	f(`"store_id":"S-1",`, schemas.ChannelStore)
	f(`"store_id":"S-1","channel":"email",`, schemas.ChannelEmail)
	f(`"channel":"SMS",`, schemas.ChannelSMS)
	f(`"channel":"smoke signals",`, schemas.ChannelWeb)
}

func TestCommentsSetting(t *testing.T) {
	t.Parallel()
	config := DefaultConfig()
	flags := flag.NewFlagSet("", flag.ContinueOnError)
	config.Flags(flags)
	if err := flags.Parse([]string{"--survey.comments=false"}); err != nil {
		t.Fatal(err)
	}
	if err := config.Validate(); err != nil {
		t.Error(err)
	}
	value := answered(`"kind":"nps","score":5,"comment":"Fast"`)
	if got := decode(t, config, value).Events[0].Properties; strings.Contains(got, "Fast") {
		t.Errorf("a comment is kept: %s", got)
	}
	if got := decode(t, DefaultConfig(), value).Events[0].Properties; got != `{"survey_id":"s","kind":"nps","score":5,"comment":"Fast"}` {
		t.Errorf("properties are %s", got)
	}
	if name := New(config, nil).Name(); name != "survey" {
		t.Errorf("Name() = %s", name)
	}
}

// Input that is made to cost much must cost little more than its length.
func TestHostileInputIsLinear(t *testing.T) {
	t.Parallel()
	fill := goldentest.Fill
	const head = `{"survey_id":"s","kind":"nps","score":5,"customer":{"user_id":"c"},`
	suite.Hostile(t, map[string]string{
		"nesting":  fill("", "[", ""),
		"objects":  fill("", `{"customer":`, ""),
		"answers":  fill("[", head+`"x":1},`, `{}]`),
		"members":  head + goldentest.ManyKeys() + `"z":1}`,
		"repeated": fill(head, `"score":1,`, `"score":2}`),
		"comment":  fill(head+`"comment":"`, `\u0041`, `"}`),
		"calls":    fill(`{"batch":[`, `{"type":"track","event":"Survey Answered","properties":{"nps":1}},`, `{}]}`),
	}, 10*time.Second)
}

func TestAnswersUseNoMemory(t *testing.T) {
	for _, name := range []string{"nps.json", "csat.json", "more_members.json", "no_time.json", "segment_nps.json"} {
		suite.Allocations(t, name, suite.Read(t, name), 0)
	}
}

func BenchmarkDecodeAnswer(b *testing.B) { suite.Benchmark(b, suite.Compact(b, "nps.json")) }
