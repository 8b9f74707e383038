package main

import (
	"strings"
	"testing"
	"time"

	"github.com/seamline/seamline/schemas"
)

// TestEndToEndFeeds publishes prices, stock, consents and answers, and finds them in ClickHouse, by SQL only.
func TestEndToEndFeeds(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.create()
	when := func(minutes int) time.Time { return start.Add(time.Duration(minutes) * time.Minute) }
	at := func(minutes int) string { return when(minutes).Format(time.RFC3339) }
	const item = `{"id":"SHOE-1","title":"Running Shoe","price":"60.00 USD","sale_price":"45.00 USD","availability":"in stock","cost_of_goods_sold":"20.00 USD","product_type":"Shoes","brand":"Acme"`
	s.publish(
		message(schemas.FeedCatalog, when(0), "id\ttitle\tprice\tavailability\tproduct_type\tcustom_label_0\nSHOE-1\tRunning Shoe\t50.00 USD\tin stock\tShoes\thero\nBOOT-1\tBoot\t80.00 USD\tout_of_stock\tShoes\t\nBAD-1\tNo price\t\tin stock\t\t\n"),
		message(schemas.FeedCatalog, when(1), item+`,"updated":"`+at(1)+`"}`),
		message(schemas.FeedCatalog, when(2), item+`,"updated":"`+at(1)+`"}`), // the same, sent twice
		message(schemas.FeedCatalog, when(3), `[{"store_code":"S-1","id":"SHOE-1","quantity":7,"availability":"in_stock","pickup_sla":"same day"},{"store_code":"S-2","id":"SHOE-1","quantity":0,"price":"48 USD","availability":"out of stock"}]`),
		message(schemas.FeedCatalog, when(4), `{"merchant_id":"M","type":"inventory.count.updated","event_id":"e","data":{"type":"inventory_counts","object":{"inventory_counts":[
			{"catalog_object_id":"SQ-1","state":"IN_STOCK","location_id":"L-1","quantity":"53","calculated_at":"`+at(4)+`"},{"catalog_object_id":"SQ-1","state":"SOLD","location_id":"L-1","quantity":"9","calculated_at":"`+at(4)+`"}]}}}`),
		message(schemas.FeedCatalog, when(5), `{"id":"SHOE-1","price":"-5 USD"}`),

		message(schemas.FeedClickstream, when(10), `{"type":"identify","messageId":"m1","anonymousId":"anon-1","userId":"user-1","timestamp":"`+at(10)+`","traits":{"email":"customer-17@example.com"}}`),
		message(schemas.FeedConsent, when(11), `{"time":"`+at(11)+`","customer":{"email":"customer-17@example.com"},"source":"newsletter form","country":"de","consents":{"email_marketing":"granted","carrier_pigeon":"denied"}}`),
		message(schemas.FeedConsent, when(12), `{"type":"page","messageId":"m1","anonymousId":"anon-1","timestamp":"`+at(12)+`","context":{"consent":{"categoryPreferences":{"Advertising":false}}}}`),
		message(schemas.FeedConsent, when(13), `{"time":"`+at(13)+`","customer":{"anonymous_id":"anon-1"},"tcString":"COvFyGBOvFyGBAbAAAENAPCAAOAAAAAAAAAAAEEUACCKAAA"}`),
		message(schemas.FeedConsent, when(14), `{"time":"`+at(14)+`","customer":{"user_id":"user-1"},"request":"access","request_id":"R-1"}`),
		message(schemas.FeedConsent, when(15), `{"time":"`+at(15)+`","customer":{"user_id":"user-1"},"request":"erasure","request_id":"R-2"}`),
		message(schemas.FeedConsent, when(16), `{"time":"`+at(16)+`","customer":{"user_id":"user-1"},"tcString":"CO"}`),

		message(schemas.FeedSurvey, when(20), `{"time":"`+at(20)+`","survey_id":"nps-1","answer_id":"A-1","kind":"nps","score":9,"comment":"Fast","customer":{"user_id":"user-1"},"store_id":"S-1","order_id":"O-1"}`),
		message(schemas.FeedSurvey, when(21), `{"time":"`+at(20)+`","survey_id":"nps-1","answer_id":"A-1","kind":"nps","score":9,"customer":{"user_id":"user-1"},"store_id":"S-1","order_id":"O-1"}`),
		message(schemas.FeedSurvey, when(22), `{"type":"track","event":"Survey Answered","messageId":"m2","userId":"user-1","timestamp":"`+at(22)+`","properties":{"survey_id":"csat-1","csat":4}}`),
		message(schemas.FeedSurvey, when(23), `{"time":"`+at(23)+`","survey_id":"nps-1","kind":"nps","score":11,"customer":{"user_id":"user-1"}}`),
	)
	s.run(func(o *runOptions) { o.now = schemas.TimeOf(when(60)) })

	s.expect("SELECT type, channel, source, sku, store_id, toString(amount), currency, toString(quantity), variant, properties FROM events WHERE type IN ('price_change', 'stock_change') ORDER BY event_time, sku, store_id, type",
		`price_change|web|merchant|BOOT-1||80|USD|0|out_of_stock|`,
		`price_change|web|merchant|SHOE-1||50|USD|0|in_stock|{"custom_label_0":"hero"}`,
		`price_change|web|merchant|SHOE-1||45|USD|0|in_stock|`,
		`stock_change|store|merchant|SHOE-1|S-1|0||7|in_stock|{"pickup_sla":"same day"}`,
		`price_change|store|merchant|SHOE-1|S-2|48|USD|0|out_of_stock|`,
		`stock_change|store|merchant|SHOE-1|S-2|0||0|out_of_stock|`,
		`stock_change|store|square|SQ-1|L-1|0||53|in_stock|`)
	s.expect("SELECT count(), uniqExact(event_id), countIf(profile_id != toUUID('00000000-0000-0000-0000-000000000000')), sum(length(identifiers)) FROM events WHERE type IN ('price_change', 'stock_change')", "7|7|0|0")
	s.expect("SELECT type, channel, source, country, properties FROM events WHERE type IN ('consent_update', 'account_deleted', 'custom') ORDER BY event_time",
		`consent_update|web|seamline|DE|{"source":"newsletter form","consents":{"carrier_pigeon":"denied"}}`,
		`consent_update|web|segment||{"consent":{"Advertising":false}}`,
		`consent_update|web|seamline||{"tc_string":"COvFyGBOvFyGBAbAAAENAPCAAOAAAAAAAAAAAEEUACCKAAA"}`,
		`custom|web|seamline||{"event":"access_request","request":"access","request_id":"R-1"}`,
		`account_deleted|web|seamline||{"request":"erasure","request_id":"R-2"}`)
	s.expect("SELECT channel, source, store_id, order_id, properties FROM events WHERE type = 'survey_answer' ORDER BY event_time",
		`store|seamline|S-1|O-1|{"survey_id":"nps-1","kind":"nps","score":9,"comment":"Fast"}`,
		`web|segment|||{"survey_id":"csat-1","csat":4}`)
	// All that names somebody names the one person that there is, and prices open no profile.
	s.expect("SELECT uniqExact(profile_id), count() FROM events WHERE type NOT IN ('price_change', 'stock_change')", "1|8")
	s.expect("SELECT count() FROM profiles FINAL", "1")
	s.expect("SELECT replaceRegexpOne(topic, '^.*-', '') AS feed, reason, detail FROM dead_letters FINAL ORDER BY feed, reason, detail",
		"catalog|malformed|price is no amount, negative, or out of range", "catalog|missing_field|price",
		"consent|malformed|tc_string ends within its core segment",
		"survey|malformed|the score is no whole number of its scale: 0 to 10 for nps, 1 to 5 for csat")
	for _, topic := range []string{"catalog", "consent", "survey"} {
		if n := s.one("SELECT count() FROM events WHERE kafka_topic LIKE ?", "%"+topic); strings.HasPrefix(n, "0") {
			t.Errorf("no event of topic %s", topic)
		}
	}
}
