package main

import (
	"context"
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seamline/seamline/cmd/seamline/bench"
	"github.com/seamline/seamline/sinks/clickhouse"
)

// viewsFile fills the tables in the server: a year of a shop whose people come on several channels. Statements end with a semicolon.
//
//go:embed bench_views.sql
var viewsFile string

// Sizes of the part views, and what a view may take.
const (
	viewsEvents      = 10_000_000
	viewsEventsShort = 1_000_000
	viewsSecondsMax  = 1.0
	viewsDatabase    = "bench_views"
)

// viewQuery is what an analyst asks a view.
type viewQuery struct{ view, query string }

// viewQueries are the views with what their example queries ask.
var viewQueries = []viewQuery{
	{"customers", "SELECT profile_id, stage, orders, revenue, alive_now, lifetime_value, preferred_channel FROM customers ORDER BY lifetime_value DESC LIMIT 10"},
	{"customer_timeline", "SELECT * FROM customer_timeline WHERE profile_id = (SELECT profile_id FROM profiles WHERE profile_index = 777) ORDER BY time"},
	{"journey_funnel", "SELECT * FROM journey_funnel ORDER BY first_channel, step"},
	{"channel_switches", "SELECT * FROM channel_switches ORDER BY switches DESC"},
	{"spend_by_channel_count", "SELECT * FROM spend_by_channel_count ORDER BY counted, channels"},
	{"email_engagement", "SELECT * FROM email_engagement ORDER BY first_time DESC LIMIT 20"},
	{"split_tests", "SELECT * FROM split_tests ORDER BY experiment, metric, variant"},
	{"sku_live", "SELECT * FROM sku_live ORDER BY views_24h DESC LIMIT 20"},
	{"sku_affinity", "SELECT * FROM sku_affinity WHERE kind = 'basket' ORDER BY llr DESC LIMIT 20"},
	{"channel_results", "SELECT * FROM channel_results ORDER BY revenue DESC"},
	{"attribution", "SELECT * FROM attribution ORDER BY markov DESC"},
}

// views measures how long the views for analysts take over many events.
func (b *benchRun) views(ctx context.Context) error {
	events := viewsEvents
	if b.isShort {
		events = viewsEventsShort
	}
	cfg := b.settings.ClickHouse
	cfg.Database = viewsDatabase
	if err := clickhouse.Migrate(ctx, cfg, b.log); err != nil {
		return err
	}
	if err := b.fillViews(ctx, events); err != nil {
		return err
	}
	for _, v := range viewQueries {
		median, rows, err := b.askView(ctx, v.query)
		if err != nil {
			return fmt.Errorf("ask the view %s: %w", v.view, err)
		}
		b.say("%-22s %.3f s, %d rows", v.view, median, rows)
		if rows == 0 {
			return fmt.Errorf("the view %s has no rows for: %s", v.view, v.query)
		}
		b.part.Targets = append(b.part.Targets, bench.AtMost("the view "+v.view, median, viewsSecondsMax, "s").With(fmt.Sprintf("median of %d, %d events", b.roundCount, events)))
	}
	return nil
}

// fillViews runs the statements of viewsFile, and merges the parts, as time does.
func (b *benchRun) fillViews(ctx context.Context, events int) error {
	fill := strings.NewReplacer("{events}", strconv.Itoa(events), "{database}", viewsDatabase)
	for statement := range strings.SplitSeq(viewsFile, ";\n") {
		if strings.TrimSpace(statement) == "" {
			continue
		}
		if _, err := b.askClickHouse(ctx, fill.Replace(statement), nil); err != nil {
			return err
		}
	}
	b.say("%d events are there", events)
	return nil
}

// askView gives the median of the seconds that a query takes, and how many rows it gives.
func (b *benchRun) askView(ctx context.Context, query string) (median float64, rows int, err error) {
	query = strings.NewReplacer(" FROM ", " FROM "+viewsDatabase+".").Replace(query) + " FORMAT TSV"
	var took []float64
	for round := range b.roundCount + 1 {
		start := time.Now()
		answer, err := b.askClickHouse(ctx, query, nil)
		if err != nil {
			return 0, 0, err
		}
		rows = strings.Count(string(answer), "\n")
		if round > 0 { // the first reads from disk
			took = append(took, time.Since(start).Seconds())
		}
	}
	slices.Sort(took)
	return took[len(took)/2], rows, nil
}
