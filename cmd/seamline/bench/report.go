package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Report is all that one run of the benchmark found.
type Report struct {
	Machine Machine  `json:"machine"`
	Started string   `json:"started"`
	Seconds float64  `json:"seconds"`
	Command []string `json:"command"`
	Parts   []*Part  `json:"parts"`
}

// Part is one part of the benchmark with its raw values.
type Part struct {
	Name     string     `json:"name"`
	About    string     `json:"about"`
	Seconds  float64    `json:"seconds"`
	Variants []*Variant `json:"variants,omitempty"`
	Laws     []*Law     `json:"laws,omitempty"`
	Shares   []Fact     `json:"shares,omitempty"`
	Facts    []Fact     `json:"facts,omitempty"`
	Targets  []Target   `json:"targets,omitempty"`
}

// Variant is something that was measured round by round.
type Variant struct {
	Name   string  `json:"name"`
	Rounds []Round `json:"rounds"`
}

// Round is what one round of a variant gave, by measure.
type Round map[string]float64

// Measures of a round. Those per event are microseconds of CPU time.
const (
	Events     = "events"
	Seconds    = "seconds"
	Rate       = "events_per_second"
	Pipeline   = "pipeline_us"
	Broker     = "broker_us"
	Inserts    = "clickhouse_inserts_us"
	Merges     = "clickhouse_merges_us"
	Total      = "total_us"
	Parts      = "parts_per_second" // of the table that gets most
	Allocs     = "allocations_per_event"
	Collection = "gc_share"
	Resident   = "resident_bytes"
)

// Law says how a cost grows.
type Law struct {
	Name   string  `json:"name"`
	X      string  `json:"x"`
	Y      string  `json:"y"`
	Points []Point `json:"points"`
	Slope  float64 `json:"slope"`
}

// Fact is a number that stands for itself.
type Fact struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
}

// Values gives a measure of all rounds.
func (v *Variant) Values(measure string) []float64 {
	values := make([]float64, len(v.Rounds))
	for i, r := range v.Rounds {
		values[i] = r[measure]
	}
	return values
}

// Median gives the middle value of a measure.
func (v *Variant) Median(measure string) float64 { return SpreadOf(v.Values(measure)).Median }

// Add remembers a number.
func (p *Part) Add(name string, value float64, unit string) {
	p.Facts = append(p.Facts, Fact{name, value, unit})
}

// Variant gives the variant of a name; nil where there is none.
func (p *Part) Variant(name string) *Variant {
	for _, v := range p.Variants {
		if v.Name == name {
			return v
		}
	}
	return nil
}

// columns of the table of variants.
var columns = []struct{ measure, title string }{{Pipeline, "pipeline"}, {Broker, "broker"}, {Inserts, "inserts"}, {Merges, "merges"}}

// Print writes what the part found as text.
func (p *Part) Print(out io.Writer) {
	if len(p.Variants) > 0 {
		fmt.Fprintf(out, "\n  %-44s %26s", "CPU, us per event", "all: min  median     max")
		for _, c := range columns {
			fmt.Fprintf(out, " %9s", c.title)
		}
		fmt.Fprintf(out, " %30s\n", "events/s: min   median      max")
		for _, v := range p.Variants {
			all, rate := SpreadOf(v.Values(Total)), SpreadOf(v.Values(Rate))
			fmt.Fprintf(out, "  %-44s %10.2f %7.2f %7.2f", v.Name, all.Min, all.Median, all.Max)
			for _, c := range columns {
				fmt.Fprintf(out, " %9.2f", v.Median(c.measure))
			}
			fmt.Fprintf(out, " %12.0f %8.0f %8.0f\n", rate.Min, rate.Median, rate.Max)
		}
	}
	for _, l := range p.Laws {
		fmt.Fprintf(out, "\n  %s: slope %.3f, that is, %s grows with the power %.3f of %s\n", l.Name, l.Slope, l.Y, l.Slope, l.X)
		for _, at := range l.Points {
			fmt.Fprintf(out, "    %16.6g %12.3f\n", at.X, at.Y)
		}
	}
	if len(p.Shares) > 0 {
		fmt.Fprintf(out, "\n  what the pipeline's CPU is spent on\n")
		for _, f := range p.Shares {
			fmt.Fprintf(out, "    %-52s %6.1f %%\n", f.Name, 100*f.Value)
		}
	}
	if len(p.Facts) > 0 {
		fmt.Fprintln(out)
	}
	for _, f := range p.Facts {
		fmt.Fprintf(out, "  %-72s %14.6g %s\n", f.Name, f.Value, f.Unit)
	}
	PrintTargets(out, p.Targets)
}

// Write stores the report as JSON and its plots as SVG in a directory, and gives the files' names.
func (r *Report) Write(dir string) ([]string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write the benchmark's report: %w", err)
	}
	files := map[string]string{"bench.json": string(text) + "\n"}
	for _, p := range r.Parts {
		if hasStack(p) {
			files[p.Name+".svg"] = stackedBars(p)
		}
		for _, l := range p.Laws {
			files[p.Name+"-"+slug(l.Name)+".svg"] = logLines(l)
		}
	}
	var names []string
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			return nil, fmt.Errorf("write the benchmark's report: %w", err)
		}
		names = append(names, path)
	}
	return names, nil
}

// slug makes a name fit for a file.
func slug(name string) string {
	return strings.Trim(strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '-'
	}, name), "-")
}
