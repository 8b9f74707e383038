package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seamline/seamline/schemas"
	producer "github.com/seamline/seamline/sinks/kafka"
)

// goldenRecordTime is the record time that the decoders' golden files were made with.
var goldenRecordTime = time.UnixMilli(1772370000000)

// goldenEvent is one event of a decoder's golden file.
type goldenEvent struct {
	ID          string       `json:"id"`
	Source      string       `json:"source"`
	Channel     string       `json:"channel"`
	Type        string       `json:"type"`
	Time        schemas.Time `json:"time"`
	OrderID     string       `json:"order_id"`
	SKU         string       `json:"sku"`
	Quantity    string       `json:"quantity"`
	Amount      string       `json:"amount"`
	Currency    string       `json:"currency"`
	StoreID     string       `json:"store_id"`
	PagePath    string       `json:"page_path"`
	MessageID   string       `json:"message_id"`
	LinkURL     string       `json:"link_url"`
	Variant     string       `json:"variant"`
	DwellMillis int64        `json:"dwell_ms"`
	Machine     bool         `json:"machine"`
	Country     string       `json:"country"`
	Campaign    struct {
		ID string `json:"id"`
	} `json:"campaign"`
	Identifiers []schemas.Identifier `json:"identifiers"`
	Items       []json.RawMessage    `json:"items"`
}

// goldenFile is what a decoder makes of one record.
type goldenFile struct {
	Events  []goldenEvent     `json:"events"`
	Rejects []json.RawMessage `json:"rejects"`
	Drops   []json.RawMessage `json:"drops"`
}

// row is the form in which a golden event and its row in ClickHouse are compared.
func (g *goldenEvent) row() string {
	decimal := func(text string) string {
		if text == "" {
			return "0"
		}
		return text
	}
	return strings.Join([]string{g.Channel, g.Type, g.Time.Std().Format("2006-01-02 15:04:05.000"), g.OrderID, g.SKU, decimal(g.Quantity), decimal(g.Amount),
		g.Currency, g.StoreID, g.PagePath, g.MessageID, g.LinkURL, g.Variant, fmt.Sprint(g.DwellMillis), fmt.Sprint(g.Machine), g.Country, g.Campaign.ID}, "|")
}

const goldenColumns = `channel, type, formatDateTime(event_time, '%Y-%m-%d %H:%i:%S.') || leftPad(toString(toUnixTimestamp64Milli(event_time) % 1000), 3, '0'),
	order_id, sku, toString(quantity), toString(amount), currency, store_id, page_path, message_id, link_url, variant, toString(dwell_ms), machine, country, campaign_id`

// TestEndToEndGolden publishes every golden payload of every provider and finds every event of the golden files in ClickHouse, column
// by column, and every refused record among the dead letters with its original bytes.
func TestEndToEndGolden(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.create()
	want := map[string][]goldenEvent{} // by source and id
	rejects, drops, files := 0, 0, 0
	var rejected []string
	for _, feed := range feeds() {
		if feed == schemas.FeedIdentity {
			continue // commands become no rows of events
		}
		payloads, err := filepath.Glob("../../consumers/" + string(feed) + "/testdata/*.golden")
		if err != nil || len(payloads) < 20 {
			t.Fatalf("found %d golden files of %s: %v", len(payloads), feed, err)
		}
		for _, path := range payloads {
			value := readPayload(t, path)
			g := readGolden(t, path)
			s.publish(producer.Message{Topic: string(feed), Value: value, Time: goldenRecordTime})
			files++
			rejects += len(g.Rejects)
			drops += len(g.Drops)
			if len(g.Rejects) > 0 {
				rejected = append(rejected, string(value))
			}
			for _, e := range g.Events {
				key := e.Source + " " + e.ID
				want[key] = append(want[key], e)
			}
		}
	}
	// Some payloads are days later than the record time that the golden files were made with.
	s.run(func(o *runOptions) { o.now = schemas.TimeOf(time.Now()) })
	got := map[string]string{}
	for _, line := range s.query("SELECT source || ' ' || event_id, " + goldenColumns + " FROM events FINAL") {
		key, row, _ := strings.Cut(line, "|")
		got[key] = row
	}
	compared := 0
	for key, events := range want {
		if _, ok := got[key]; !ok {
			t.Errorf("event %s (%s) is not in ClickHouse", key, events[0].row())
		}
		// Events of one id in several files are one event; which file's is kept depends on the partitions.
		if len(events) == 1 {
			compared++
			compareGolden(t, key, events[0].row(), got[key])
		}
	}
	if len(got) != len(want) {
		t.Errorf("ClickHouse has %d events, the golden files %d", len(got), len(want))
	}
	if n := s.one("SELECT count() FROM dead_letters FINAL"); n != fmt.Sprint(rejects) {
		t.Errorf("%s dead letters, the golden files have %d rejects", n, rejects)
	}
	for _, value := range rejected {
		if s.one("SELECT count() > 0 FROM dead_letters FINAL WHERE value = ?", value) != "1" {
			t.Errorf("no dead letter has the original bytes %.80q", value)
		}
	}
	t.Logf("%d records: %d events (%d compared column by column), %d dead letters, %d drops", files, len(want), compared, rejects, drops)
}

func compareGolden(t *testing.T, key, want, got string) {
	t.Helper()
	// An order that was seen before becomes an update of it: that is decided behind the decoder.
	if w := strings.Replace(want, "|order|", "|order_update|", 1); got != want && got != w {
		t.Errorf("event %s\n got %s\nwant %s", key, got, want)
	}
}

func readPayload(t *testing.T, golden string) []byte {
	t.Helper()
	base := strings.TrimSuffix(golden, ".golden")
	for _, extension := range []string{".json", ".txt", ".xml", ".tsv"} {
		if value, err := os.ReadFile(base + extension); err == nil {
			return value
		}
	}
	t.Fatalf("%s has no payload beside it", golden)
	return nil
}

func readGolden(t *testing.T, path string) goldenFile {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var g goldenFile
	if err := json.Unmarshal(text, &g); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return g
}
