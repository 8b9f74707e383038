package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"testing"
	"time"

	"github.com/seamline/seamline/schemas"
)

// TestEndToEndContacts publishes contact data on three feeds and finds its hashes in ClickHouse, which computes them again by itself; what
// is kept in clear opens with the key alone.
func TestEndToEndContacts(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.settings.Contacts = contactsConfig{Clear: true, Key: base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{5}, 32))}
	s.create()
	when := func(minutes int) time.Time { return start.Add(time.Duration(minutes) * time.Minute) }
	at := func(minutes int) string { return when(minutes).Format(time.RFC3339) }
	s.publish(
		message(schemas.FeedClickstream, when(1), `{"type":"identify","messageId":"m1","anonymousId":"anon-1","userId":"user-1","timestamp":"`+at(1)+`",
			"traits":{"email":"Customer.17+shop@GMAIL.com","phone":"(650) 555-1217","firstName":"Valéry","lastName":"Smith Jr.","birthday":"2/16/1997","gender":"female",
			"address":{"city":"St. Louis","state":"Missouri","postalCode":"63101-1234","country":"United States"}}}`),
		message(schemas.FeedClickstream, when(2), `{"type":"track","event":"Product Viewed","messageId":"m2","userId":"user-1","timestamp":"`+at(2)+`","properties":{"sku":"A"},
			"context":{"location":{"country":"de"},"traits":{"firstName":"Valéry","city":"Bonn"},"device":{"id":"d-1","advertisingId":"AB1234CD-E123-12FA-B123-0123456789AB","adTrackingEnabled":true}}}`),
		message(schemas.FeedClickstream, when(3), `{"type":"track","event":"Product Viewed","messageId":"m3","anonymousId":"anon-3","timestamp":"`+at(3)+`","properties":{"sku":"A"},
			"context":{"device":{"id":"d-1","advertisingId":"AB1234CD-E123-12FA-B123-0123456789AB","adTrackingEnabled":false}}}`),
		message(schemas.FeedPOS, when(4), `{"receipt_id":"R-1","store_id":"S-1","time":"`+at(4)+`","type":"sale","currency":"USD","total":"5.00","customer":{"email":"customer-18@example.com"}}`),
	)
	s.run(func(o *runOptions) { o.now = schemas.TimeOf(when(60)) })
	const mobile = "ab1234cd-e123-12fa-b123-0123456789ab"
	rows := []struct {
		minute                                       int
		kind, namespace, plain, google, uid2, inView string
	}{
		{1, "email", "email", "customer.17+shop@gmail.com", "customer17@gmail.com", "customer17@gmail.com", ""},
		{1, "phone", "phone", "16505551217", "+16505551217", "+16505551217", ""},
		{1, "given_name", "user_id", "valéry", "valéry", "", ""},
		{1, "family_name", "user_id", "smithjr", "smith", "", ""},
		{1, "city", "user_id", "stlouis", "", "", ""},
		{1, "region", "user_id", "mo", "", "", ""},
		{1, "postal", "user_id", "63101", "", "", ""},
		{1, "country", "user_id", "us", "", "", "us"},
		{1, "birth_date", "user_id", "19970216", "", "", ""},
		{1, "gender", "user_id", "f", "", "", ""},
		{2, "city", "user_id", "bonn", "", "", ""}, // the name was told before
		{2, "mobile_id", "device_id", mobile, "", "", mobile},
		{3, "mobile_id", "device_id", "", "", "", ""}, // taken back
		{4, "email", "email", "customer-18@example.com", "customer-18@example.com", "customer-18@example.com", ""},
	}
	for _, r := range rows {
		hash := func(column, text string) string {
			if text == "" {
				return fmt.Sprintf("hex(%s) = repeat('0', 64)", column)
			}
			return fmt.Sprintf("hex(%s) = hex(SHA256('%s'))", column, text)
		}
		s.expect(fmt.Sprintf(`SELECT namespace, %s, %s, %s, value FROM (SELECT * FROM contacts FINAL WHERE kind = '%s' AND time = parseDateTime64BestEffort('%s', 3, 'UTC')) AS c
			INNER JOIN (SELECT identifier_id, namespace FROM identifiers FINAL) AS i USING (identifier_id)`,
			hash("plain", r.plain), hash("google", r.google), hash("uid2", r.uid2), r.kind, at(r.minute)), r.namespace+"|1|1|1|"+r.inView)
	}
	s.expect("SELECT count() FROM contacts FINAL", fmt.Sprint(len(rows)))
	s.expect("SELECT country FROM profiles FINAL ORDER BY country", "", "DE")
	s.expect("SELECT count(), countIf(ciphertext = ''), uniqExact(key_id) FROM contacts_clear FINAL", fmt.Sprintf("%d|1|1", len(rows)))
	sealer, err := s.settings.Contacts.sealer()
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := hex.DecodeString(s.one("SELECT hex(ciphertext) FROM contacts_clear FINAL WHERE kind = 'postal'"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := sealer.Open(1, schemas.ContactPostal, sealed); err != nil || got != "63101-1234" {
		t.Errorf("the postal code is %q, %v", got, err)
	}
}
