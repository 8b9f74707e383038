package shoppers

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

// tidyFeeds is a config with feeds.
func tidyFeeds(t *testing.T) Config {
	t.Helper()
	t.Logf("seed %d; run again with -seed %d", *seedFlag, *seedFlag)
	c := DefaultConfig()
	c.Seed, c.Shoppers, c.Duration, c.Feeds = *seedFlag, 200, 10*24*time.Hour, true
	return c
}

// TestFeedsLeaveTheRestAlone: with and without feeds, the other topics get the same records in the same order, and the truth is the same.
func TestFeedsLeaveTheRestAlone(t *testing.T) {
	t.Parallel()
	run := func(c Config) (records []string, truth string) {
		g := New(c)
		for {
			r, ok := g.Next()
			if !ok {
				break
			}
			switch r.Topic {
			case TopicCatalog, TopicConsent, TopicSurvey:
			default:
				records = append(records, fmt.Sprintf("%s|%s|%s|%v|%v", r.Topic, r.Key, r.Value, r.Headers, r.Time))
			}
		}
		all := g.Truth()
		for _, topic := range []string{TopicCatalog, TopicConsent, TopicSurvey} {
			delete(all.Counts.Records, topic)
			delete(all.Counts.Bytes, topic)
		}
		var b bytes.Buffer
		if _, err := all.WriteTo(&b); err != nil {
			t.Fatal(err)
		}
		return records, b.String()
	}
	with := tidyFeeds(t)
	without := with
	without.Feeds = false
	records, truth := run(with)
	plain, plainTruth := run(without)
	if len(records) < 1000 || strings.Join(records, "\n") != strings.Join(plain, "\n") {
		t.Errorf("%d records with feeds, %d without, or others", len(records), len(plain))
	}
	if truth = strings.Replace(truth, `"Feeds":true`, `"Feeds":false`, 1); truth != plainTruth {
		t.Error("the feeds change the truth")
	}
}

// TestFeedsAreReadable: tables have a cell for each column, the rest is JSON, and what they say fits the shoppers' catalog.
func TestFeedsAreReadable(t *testing.T) {
	t.Parallel()
	c := tidyFeeds(t)
	g := New(c)
	prices := map[string]string{}
	for _, p := range g.catalog {
		prices[p.sku] = string(appendCents(nil, p.price)) + " " + c.Currency
	}
	counts, rows, priced := map[string]int{}, 0, 0
	for {
		r, ok := g.Next()
		if !ok {
			break
		}
		counts[r.Topic]++
		var parsed any
		switch {
		case r.Topic != TopicCatalog && r.Topic != TopicConsent && r.Topic != TopicSurvey:
		case r.Value[0] == '{':
			if err := json.Unmarshal(r.Value, &parsed); err != nil {
				t.Fatalf("%s: %v: %.200s", r.Topic, err, r.Value)
			}
			if r.Topic != TopicCatalog && len(parsed.(object)["customer"].(object)) != 1 {
				t.Fatalf("a form names its customer more or less than once: %s", r.Value)
			}
		default:
			lines := strings.Split(strings.TrimSuffix(string(r.Value), "\n"), "\n")
			header := strings.Split(lines[0], "\t")
			for _, line := range lines[1:] {
				cells := strings.Split(line, "\t")
				if len(cells) != len(header) {
					t.Fatalf("%d cells in %d columns: %s", len(cells), len(header), line)
				}
				rows++
				if want := prices[cells[0]]; want != "" && header[0] == "id" {
					priced++
					if cells[4] != want {
						t.Errorf("%s costs %s; shoppers pay %s", cells[0], cells[4], want)
					}
				}
			}
		}
	}
	if counts[TopicCatalog] < 100 || counts[TopicConsent] < 20 || counts[TopicSurvey] < 20 || priced != 5*catalogSize || rows < 10*9*catalogSize {
		t.Errorf("%v, %d rows, %d of them with prices", counts, rows, priced)
	}
}
