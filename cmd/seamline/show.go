package main

import (
	"fmt"
	"os"
	"reflect"
	"strings"
	"time"
	"unicode/utf8"

	dto "github.com/prometheus/client_model/go"
)

// isTerminal tells whether a file is a character device, so that lines may be rewritten in place.
func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// counters are the figures of the demo's line, read from the metrics that everybody sees.
type counters struct {
	records, events, duplicates, refused, identifiers, profiles, members, lag float64
	durable                                                                   float64 // records in batches that every sink has
}

// count reads the registry.
func (d *demo) count() counters {
	families, err := d.registry.Gather()
	if err != nil {
		return counters{}
	}
	sums := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			sums[f.GetName()] += value(m)
		}
	}
	return counters{records: sums["seamline_consumers_records_total"], events: sums["seamline_decode_events_total"],
		duplicates: sums["seamline_dedup_duplicates_total"], refused: sums["seamline_decode_rejects_total"],
		identifiers: sums["seamline_stitch_identifiers"], profiles: sums["seamline_stitch_profiles"],
		durable: sums["seamline_line_batch_records"], members: sums["seamline_audience_members"], lag: sums["seamline_consumers_lag_records"]}
}

// value gives a counter or gauge, or the sum of what a histogram observed.
func value(m *dto.Metric) float64 {
	switch {
	case m.GetCounter() != nil:
		return m.GetCounter().GetValue()
	case m.GetGauge() != nil:
		return m.GetGauge().GetValue()
	case m.GetHistogram() != nil:
		return m.GetHistogram().GetSampleSum()
	}
	return 0
}

// line shows the counters and the rate since last, seconds ago.
func (c counters) line(last counters, seconds float64) string {
	return fmt.Sprintf("%s  %8.0f records (%6.0f/s)  %8.0f events  %5.0f duplicates  %4.0f refused  %7.0f identifiers -> %6.0f people  %6.0f in audiences  lag %.0f",
		time.Now().Format("15:04:05"), c.records, (c.records-last.records)/seconds, c.events-c.duplicates, c.duplicates, c.refused, c.identifiers, c.profiles, c.members, c.lag)
}

// cellRunesMax bounds a cell of a printed table.
const cellRunesMax = 60

// table lays query results out in columns.
func table(columns []string, rows [][]any) string {
	cells := [][]string{columns}
	for _, row := range rows {
		line := make([]string, len(row))
		for i, v := range row {
			line[i] = shorten(cell(v))
		}
		cells = append(cells, line)
	}
	widths := make([]int, len(columns))
	for _, line := range cells {
		for i, c := range line {
			widths[i] = max(widths[i], utf8.RuneCountInString(c))
		}
	}
	var out strings.Builder
	for n, line := range cells {
		for i, c := range line {
			fmt.Fprintf(&out, "  %-*s", widths[i], c)
		}
		out.WriteByte('\n')
		if n == 0 {
			for _, w := range widths {
				out.WriteString("  " + strings.Repeat("-", w))
			}
			out.WriteByte('\n')
		}
	}
	if len(rows) == 0 {
		out.WriteString("  (none yet)\n")
	}
	return out.String()
}

// shorten cuts a cell that is too wide for a terminal.
func shorten(text string) string {
	if runes := []rune(text); len(runes) > cellRunesMax {
		return string(runes[:cellRunesMax-1]) + "…"
	}
	return text
}

// cell gives a value as text.
func cell(v any) string {
	text := ""
	switch v := v.(type) {
	case time.Time:
		text = v.UTC().Format("2006-01-02 15:04:05")
	case fmt.Stringer:
		text = v.String()
	default:
		if r := reflect.ValueOf(v); r.Kind() == reflect.Pointer {
			if r.IsNil() {
				return ""
			}
			return cell(r.Elem().Interface())
		}
		text = strings.Trim(fmt.Sprint(v), "[]")
	}
	return text
}
