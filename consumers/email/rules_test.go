package email

import (
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/seamline/seamline/consumers/goldentest"
	"github.com/seamline/seamline/schemas"
)

// outcome describes what came of a value by one event's facts, or by the reasons of refusal.
func outcome(t *testing.T, value string, facts func(e *schemas.Event) string) string {
	t.Helper()
	out := decode(t, DefaultConfig(), []byte(value))
	var got []string
	for i := range out.Events {
		got = append(got, facts(&out.Events[i]))
	}
	for _, r := range out.Rejects {
		got = append(got, string(r.Reason))
	}
	for _, d := range out.Dropped {
		got = append(got, d.Source+" "+string(d.Drop))
	}
	return strings.Join(got, ", ")
}

func TestEventNames(t *testing.T) {
	t.Parallel()
	f := func(form string, names, want string) {
		t.Helper()
		for name := range strings.FieldsSeq(names) {
			got := outcome(t, fmt.Sprintf(form, name), func(e *schemas.Event) string { return e.Type.String() })
			if got != want {
				t.Errorf("%s is %q, want %q", fmt.Sprintf(form, name), got, want)
			}
		}
	}
	sendGrid := `{"email":"customer-1@example.com","timestamp":1772359200,"sg_message_id":"m.filter1.2","event":"%s"}`
	f(sendGrid, "processed", "message_sent")
	f(sendGrid, "bounce blocked dropped", "message_bounce")
	f(sendGrid, "unsubscribe group_unsubscribe", "message_unsubscribe")
	f(sendGrid, "group_resubscribe", "consent_update")
	f(sendGrid, "Open opened clicked sent", "unknown_event")
	failed := `{"event-data":{"event":"failed","timestamp":1.5e9,"recipient":"customer-1@example.com","severity":"%s"}}`
	f(failed, "permanent", "message_bounce")
	f(failed, "temporary whatever", "message_deferred")
	f(strings.Replace(failed, `,"severity":"%s"`, "%.0s", 1), "none", "message_deferred")
	bounce := `{"RecordType":"Bounce","Type":"%s","ID":1,"MessageID":"m","Email":"customer-1@example.com","BouncedAt":"2026-03-01T10:00:00Z"}`
	f(bounce, "HardBounce BadEmailAddress Blocked SpamNotification DMARCPolicy ManuallyDeactivated VirusNotification Unknown New", "message_bounce")
	f(bounce, "Transient SoftBounce DnsError", "message_deferred")
	f(bounce, "AutoResponder AddressChange ChallengeVerification OpenRelayTest", "postmark no_event")
	f(bounce, "Subscribe", "consent_update")
	f(bounce, "SpamComplaint", "message_complaint")
	ses := `{"eventType":"%s","mail":{"messageId":"m","timestamp":"2026-03-01T10:00:00Z","destination":["customer-1@example.com"]}}`
	f(ses, "Send", "message_sent")
	f(ses, "Reject RenderingFailure", "message_bounce")
	f(ses, "Open Click Delivery Bounce Complaint DeliveryDelay Subscription", "missing_field")
	f(ses, "send Nothing", "unknown_event")
	brevo := `{"event":"%s","email":"customer-1@example.com","ts_epoch":1772359200000}`
	f(brevo, "request requests sent", "message_sent")
	f(brevo, "opened unique_opened uniqueOpened proxy_open loadedByProxy", "message_open")
	f(brevo, "hard_bounce hardBounces invalid_email invalid blocked error", "message_bounce")
	f(brevo, "soft_bounce softBounce deferred", "message_deferred")
	f(brevo, "contactUpdated contact_deleted reply", "brevo no_event")
	f(brevo, "listAddition", "consent_update")
	f(brevo, "teleported "+strings.Repeat("x", 100), "unknown_event")
	customer := `{"event_id":"1","object_type":"push","metric":"%s","timestamp":1772359200,"data":{"customer_id":7}}`
	f(customer, "bounced dropped failed undeliverable suppressed", "message_bounce")
	f(customer, "drafted attempted human_opened human_clicked", "customerio no_event")
	f(customer, "converted replied", "custom")
}

func TestShapes(t *testing.T) {
	t.Parallel()
	f := func(value, want string) {
		t.Helper()
		if got := outcome(t, value, func(e *schemas.Event) string { return e.Source + " " + e.ID }); got != want {
			t.Errorf("%s\n got %s\nwant %s", value, got, want)
		}
	}
	f(`{"email":"customer-1@example.com","event":"open","timestamp":1772359200,"type":"bounce"}`, "sendgrid sendgrid-b6b92ac89f530f61231ab9d1e9ae3a31")
	f(`{"sg_event_id":"s","event":"open","timestamp":1772359200,"email":"customer-1@example.com","event-data":{"event":"opened"},"RecordType":"Open","batch":[]}`, "sendgrid s")
	f(`{"id":"g","event":"opened","timestamp":1772359200.5,"recipient":"customer-1@example.com","log-level":"info"}`, "mailgun g")
	f(`{"type":"track","event":"Email Opened","messageId":"c","userId":"u","timestamp":"2026-03-01T10:00:00Z"}`, "segment c")
	f(`{"event":"Email Opened","messageId":"c","userId":"u","timestamp":"2026-03-01T10:00:00Z"}`, "segment c")
	f(`{"type":"TRACK","event":"Email Opened","messageId":"c"}`, "missing_identifier")
	f(`{"notificationType":"Delivery"}`, "missing_field")
	f(`{"eventType":"purchase","user":"x"}`, "unknown_event")
	f(`{"Type":"Notification","Message":"{\"notificationType\":\"Received\"}"}`, "ses no_event")
	f(`{"Type":"Surprise","TopicArn":"arn"}`, "unknown_event")
	f(`{"Type":"Notification","TopicArn":"arn"}`, "unknown_format")
	f(`{"Type":"Notification","Message":["x"]}`, "unknown_format")
	f(`{"Type":"Notification","Message":"AMAZON_SES_SUBSCRIPTION_TEST"}`, "ses test")
	f(`{"event":"opened","email":"customer-1@example.com"}`, "unknown_format")
	f(`{"event":5,"message-id":"m"}`, "unknown_format")
	f(`{"event":"","message-id":"m"}`, "missing_field")
	f(`{"sg_event_id":"s"}`, "missing_field")
	f(`{"RecordType":null}`, "missing_field")
	f(`{"event-data":{}}`, "missing_field")
	f(`{"event-data":"opened"}`, "unknown_format")
	f(`{"object_type":"email","metric":""}`, "missing_field")
	f(`{}`, "unknown_format")
	f(`[[]]`, "unknown_format")
	f(`[{}]`, "unknown_format")
	f(`null`, "unknown_format")
	f(`{"event":"open"} x`, "malformed")
	f("{\"event\":\"\xff\"}", "malformed")
	f(``, "malformed")
}

func TestWithoutCalls(t *testing.T) {
	t.Parallel()
	value := []byte(`[{"type":"track","event":"Email Opened","messageId":"c","userId":"u","timestamp":"2026-03-01T10:00:00Z"},` +
		`{"sg_event_id":"s","event":"open","timestamp":1772359200,"email":"customer-1@example.com"}]`)
	var out schemas.Decoded
	record := &schemas.Record{Value: value}
	out.Begin(record)
	decoder := New(DefaultConfig(), nil)
	decoder.Decode(record, value, &out)
	suite.Check(t, &out)
	if len(out.Events) != 1 || out.Events[0].Element != 1 || len(out.Rejects) != 1 || out.Rejects[0].Reason != schemas.ReasonUnknownFormat {
		t.Errorf("got %+v, %+v", out.Events, out.Rejects)
	}
	if decoder.Name() != "email" {
		t.Errorf("Name() = %s", decoder.Name())
	}
}

func TestMessageIDs(t *testing.T) {
	t.Parallel()
	f := func(id, smtpID, want string) {
		t.Helper()
		if got := sendGridMessage(id, smtpID); got != want {
			t.Errorf("%q with %q gives %q, want %q", id, smtpID, got, want)
		}
	}
	f("14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.0", "", "14c5d75ce93.dfd.64b469")
	f("wrfRRvF7Q0GgwUo2CvDmEA.filter0425p1mdw1.13037.57168B4A1D.0", "<x@y>", "wrfRRvF7Q0GgwUo2CvDmEA")
	f("-lz3D1xZQeqQIYJHEQ2i5A.recvd-84dd45dc6b-x2k8p-1-5F7B7F2E-1.0", "", "-lz3D1xZQeqQIYJHEQ2i5A")
	f("plain", "", "plain")
	f("a.b.c.", "", "a.b.c.")
	f("filter0093p1las1.9128.5717FB8127.0", "<14c5d75ce93.dfd.64b469@ismtpd-555>", "14c5d75ce93.dfd.64b469")
	f("", "<14c5d75ce93.dfd.64b469@geopod-ismtpd-5-1>", "14c5d75ce93.dfd.64b469")
	f("", "<own-id@shop.example.com>", "own-id@shop.example.com")
	f("filter0093p1las1.9128.5717FB8127.0", "", "")
	f("", "", "")
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	f := func(s, want string) {
		t.Helper()
		if got := addressOf(s); got != want {
			t.Errorf("%q gives %q, want %q", s, got, want)
		}
	}
	f(" customer-1@example.com ", "customer-1@example.com")
	f("Customer <customer-1@example.com>", "customer-1@example.com")
	f(`"A <b> c" <customer-1@example.com> `, "customer-1@example.com")
	f("<customer-1@example.com>", "customer-1@example.com")
	f("customer-1@example.com>", "customer-1@example.com>")
	f("", "")
	scrub := func(s, want string) {
		t.Helper()
		if got := string(appendScrubbed(nil, s)); got != want {
			t.Errorf("%q gives %q, want %q", s, got, want)
		}
	}
	scrub("550 <customer-1@example.com>: unknown", "550 <(address)>: unknown")
	scrub("a@b c@d", "(address) (address)")
	scrub("a@b@c,ü@d", "(address),(address)")
	scrub("@", "(address)")
	scrub("none here", "none here")
}

func TestMachineAgents(t *testing.T) {
	t.Parallel()
	f := func(agent string, want bool) {
		t.Helper()
		value := fmt.Sprintf(`{"email":"customer-1@example.com","timestamp":1772359200,"sg_message_id":"m","event":"click","useragent":%q}`, agent)
		out := decode(t, DefaultConfig(), []byte(value))
		if got := out.Events[0].Machine; got != want {
			t.Errorf("%q: machine is %v", agent, got)
		}
	}
	f("Mozilla/5.0", true)
	f("Mozilla/5.0 (compatible; bot/1.0)", true)
	f("SomeBot", false)
	f("Mozilla/5.0 (Linux; Android 12; BOTANIC 5)", false)
	f("Mozilla/5.0 (Linux; Android 9; CUBOT_X18)", false)
	f("PROOFPOINT URL Defense", true)
	f("Mozilla/5.0 (X11) HeadlessChrome/120.0", true)
	f("curl/8.0", true)
	f("curly/8.0", false)
	f("Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)", false)
	f("YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html", false)
	f("Mozilla/5.0 (iPhone; CPU iPhone OS 26_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148", false)
	f("", false)
	for _, word := range scannerWords {
		f("x "+strings.ToUpper(word), true)
	}
}

func TestReadingTime(t *testing.T) {
	t.Parallel()
	f := func(seconds string, want int64) {
		t.Helper()
		value := `{"RecordType":"Open","MessageID":"m","Recipient":"customer-1@example.com","ReceivedAt":"2026-03-01T10:00:00Z","ReadSeconds":` + seconds + `}`
		if got := decode(t, DefaultConfig(), []byte(value)).Events[0].DwellMillis; got != want {
			t.Errorf("%s gives %d, want %d", seconds, got, want)
		}
	}
	f("5", 5000)
	f(`"2.5"`, 2500)
	f("0", 0)
	f("-3", 0)
	f("1e17", 0)
	f(`"long"`, 0)
	f("null", 0)
}

func TestIdentifiers(t *testing.T) {
	t.Parallel()
	f := func(arguments, want string) {
		t.Helper()
		value := `{"email":"Customer <customer-1@example.com>","timestamp":1772359200,"sg_message_id":"m","event":"open",` + arguments + `}`
		got := outcome(t, value, func(e *schemas.Event) string {
			var b strings.Builder
			for _, id := range e.Identifiers {
				fmt.Fprintf(&b, "%s=%s ", id.Namespace, id.Value)
			}
			return b.String() + e.Variant + e.Properties
		})
		if got != want {
			t.Errorf("%s\n got %s\nwant %s", arguments, got, want)
		}
	}
	f(`"userId":"u"`, `user_id=u email=customer-1@example.com message_id=m `)
	f(`"USER_ID":7,"customer_id":"c"`, `user_id=7 email=customer-1@example.com message_id=m `)
	f(`"customerId":"c","variant":"B"`, `user_id=c email=customer-1@example.com message_id=m B`)
	f(`"anonymous_id":"a","custom_args":{"loyalty_id":"l"}`, `loyalty_id=l email=customer-1@example.com anonymous_id=a message_id=m `)
	f(`"user_id":null,"note":"for customer-1@example.com","alt":"customer-1@example.com","city":"x","name":"Customer"`,
		`email=customer-1@example.com message_id=m {"note":"for (address)"}`)
	f(`"alt":"Customer <customer-1@example.com>","ip":"203.0.113.1"`, `email=customer-1@example.com message_id=m `)
}

func TestBrevoTimeZone(t *testing.T) {
	t.Parallel()
	config := DefaultConfig()
	flags := flag.NewFlagSet("", flag.ContinueOnError)
	config.Flags(flags)
	if err := flags.Parse([]string{"--decode.email.brevo-time-zone=Europe/Paris"}); err != nil {
		t.Fatal(err)
	}
	if err := config.Validate(); err != nil {
		t.Fatal(err)
	}
	f := func(times, want string) {
		t.Helper()
		out := decode(t, config, []byte(`{"event":"delivered","email":"customer-1@example.com","message-id":"m",`+times+`}`))
		if got := out.Events[0].Time.String(); got != want {
			t.Errorf("%s gives %s, want %s", times, got, want)
		}
	}
	f(`"ts_epoch":1772359200500,"ts_event":1772362800`, "2026-03-01T10:00:00.500Z")
	f(`"ts_event":1772362800`, "2026-03-01T10:00:00.000Z") // 11:00 on the wall in winter
	f(`"ts":1783162800`, "2026-07-04T09:00:00.000Z")       // 11:00 on the wall in summer
	f(`"date":"2026-03-01 11:00:00"`, "2026-03-01T10:00:00.000Z")
	for _, zone := range []string{"", "Local", "Mars/Olympus"} {
		config := Config{BrevoTimeZone: zone}
		if config.Validate() == nil {
			t.Errorf("%q passes for a time zone", zone)
		}
	}
	if cfg := DefaultConfig(); cfg.Validate() != nil {
		t.Error("the default is refused")
	}
}

func TestTooManyRecipients(t *testing.T) {
	t.Parallel()
	recipients := func(n int) string {
		return strings.TrimSuffix(strings.Repeat(`"customer-1@example.com",`, n), ",")
	}
	for _, form := range []string{
		`{"eventType":"Send","mail":{"messageId":"m","timestamp":"2026-03-01T10:00:00Z","destination":[%s]}}`,
		`{"event":"list_addition","ts_epoch":1772359200000,"email":[%s]}`,
	} {
		if out := decode(t, DefaultConfig(), fmt.Appendf(nil, form, recipients(50))); len(out.Events) != 50 {
			t.Errorf("50 recipients: %d events, %+v", len(out.Events), out.Rejects)
		}
		out := decode(t, DefaultConfig(), fmt.Appendf(nil, form, recipients(51)))
		if len(out.Events) != 0 || len(out.Rejects) != 1 || out.Rejects[0].Reason != schemas.ReasonMalformed {
			t.Errorf("51 recipients: %d events, %+v", len(out.Events), out.Rejects)
		}
	}
}

// Input that is made to cost much must cost little more than its length.
func TestHostileInputIsLinear(t *testing.T) {
	t.Parallel()
	fill := goldentest.Fill
	const sendGrid = `"email":"customer-1@example.com","timestamp":1772359200,"sg_message_id":"m","event":"open"`
	const destinations = `{"eventType":"Send","mail":{"timestamp":1772359200,"destination":[`
	suite.Hostile(t, map[string]string{
		"nesting":    fill("", "[", ""),
		"objects":    fill("", `{"event-data":`, ""),
		"members":    fill(`{`+sendGrid+`,`, `"a":1,`, `"b":2}`),
		"array":      fill(`[`, `{`+sendGrid+`},`, `{}]`),
		"addresses":  fill(`{`+sendGrid+`,"reason":"`, `a@b `, `"}`),
		"at signs":   fill(`{`+sendGrid+`,"reason":"`, `@`, `"}`),
		"dots":       fill(`{`+sendGrid+`,"sg_message_id":"`, `.filte`, `"}`),
		"agent":      fill(`{`+sendGrid+`,"useragent":"`, `bo `, `"}`),
		"tags":       fill(`{`+sendGrid+`,"category":[`, `"a",`, `"b"]}`),
		"pipes":      fill(`{"event":"sent","ts_epoch":1772359200000,"email":"customer-1@example.com","X-Mailin-custom":"`, `a:b|`, `"}`),
		"escapes":    fill(`{"Type":"Notification","Message":"`, `\u0041`, `"}`),
		"recipients": fill(destinations, `"a@b",`, `"c"]}}`),
		"ses tags":   fill(destinations+strings.Repeat(`"a@b",`, 49)+`"c@d"],"tags":{`, `"a":["b"],`, `"c":["d"]}}}`),
		"many keys":  `{` + goldentest.ManyKeys() + sendGrid + `}`,
	}, 5*time.Second)
}
