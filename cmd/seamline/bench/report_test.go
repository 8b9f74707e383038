package bench

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTargets(t *testing.T) {
	t.Parallel()
	f := func(target Target, met bool, verdict string) {
		t.Helper()
		if target.Met != met || target.Verdict != verdict {
			t.Errorf("%v: met %t, verdict %q; want %t, %q", target.Value, target.Met, target.Verdict, met, verdict)
		}
	}
	f(AtMost("a", 0.6, 0.6, ""), true, "pass")
	f(AtMost("a", 0.61, 0.6, ""), false, "not met")
	f(AtMost("a", 0.5, 0.6, "").Stretched(0.45), true, "pass")
	f(AtMost("a", 0.4, 0.6, "").Stretched(0.45), true, "pass, stretch too")
	f(AtLeast("a", 2.5, 2.5, ""), true, "pass")
	f(AtLeast("a", 2.4, 2.5, ""), false, "not met")
	f(AtLeast("a", 3, 2.5, "").Stretched(3), true, "pass, stretch too")
}

// example is a part with everything in it.
func example() *Part {
	p := &Part{Name: "part", About: "this & that <of them>"}
	p.Variants = []*Variant{
		{Name: "one", Rounds: []Round{{Total: 6, Pipeline: 3, Broker: 1, Inserts: 1.5, Merges: 0.5, Rate: 100}, {Total: 8, Pipeline: 4, Broker: 1, Inserts: 2, Merges: 1, Rate: 80}}},
		{Name: "other & more", Rounds: []Round{{Total: 12, Inserts: 12, Rate: 50}}},
	}
	p.Laws = []*Law{{Name: "Profiles live", X: "live profiles", Y: "CPU us per event", Points: []Point{{1e5, 2}, {1e6, 2.5}, {1e7, 3}}, Slope: 0.1},
		{Name: "late", X: "%", Y: "us", Points: []Point{{0, 2}, {20, 2.1}}}}
	p.Shares = []Fact{{"stitching", 0.125, "of CPU"}}
	p.Add("memory", 12, "MiB")
	p.Targets = []Target{AtMost("ratio", 0.5, 0.6, "times").Stretched(0.45).With("a note")}
	return p
}

func TestPrint(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	example().Print(&out)
	for _, want := range []string{"one ", "6.00    7.00    8.00", "slope 0.100", "stitching", "12.5 %", "memory", "12 MiB", "at most 0.6 (0.45)", "a note", "pass"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, out.String())
		}
	}
}

func TestWrite(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "below")
	report := &Report{Machine: Machine{Cores: 2, ClickHouse: "26.7"}, Parts: []*Part{example(), {Name: "empty"}}}
	files, err := report.Write(dir)
	if err != nil || len(files) != 4 {
		t.Fatalf("wrote %v: %v; want the report, bars, and two laws", files, err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "bench.json"))
	if err != nil {
		t.Fatal(err)
	}
	var back Report
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	one := back.Parts[0].Variant("one")
	if one == nil || one.Median(Total) != 7 || back.Parts[0].Targets[0].Verdict != "pass" || back.Machine.ClickHouse != "26.7" {
		t.Errorf("the report lost something: %s", text)
	}
	if back.Parts[0].Variant("none") != nil {
		t.Error("there is a variant that nobody measured")
	}
	for _, name := range []string{"part.svg", "part-profiles-live.svg", "part-late.svg"} {
		drawing, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		checkDrawing(t, name, drawing)
	}
}

// checkDrawing reads a plot as XML; it has a title, axes with words, and no number that is none.
func checkDrawing(t *testing.T, name string, drawing []byte) {
	t.Helper()
	decoder, words := xml.NewDecoder(bytes.NewReader(drawing)), 0
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%s is no XML: %v", name, err)
		}
		if start, ok := token.(xml.StartElement); ok && start.Name.Local == "text" {
			words++
		}
	}
	if words < 6 || bytes.Contains(drawing, []byte("NaN")) || bytes.Contains(drawing, []byte("Inf")) {
		t.Errorf("%s has %d texts, or numbers that are none:\n%s", name, words, drawing)
	}
}

func TestAxis(t *testing.T) {
	t.Parallel()
	a := axis{1, 1000}
	if a.place(1) != 0 || a.place(1000) != 1 || a.place(0) != 0 {
		t.Errorf("the ends are at %v and %v, and 0 at %v", a.place(1), a.place(1000), a.place(0))
	}
	if ticks := a.ticks(); len(ticks) != 4 || ticks[3] < 999 {
		t.Errorf("the ticks are %v", ticks)
	}
	if ticks := (axis{1, 10}).ticks(); len(ticks) != 4 {
		t.Errorf("the ticks of a short axis are %v", ticks)
	}
	for span, want := range map[float64]float64{0: 1, 9: 1, 15: 2, 41: 5, 95: 10, 0.3: 0.05} {
		if got := tick(span); got < want*0.999 || got > want*1.001 {
			t.Errorf("steps of %v are %v, want %v", span, got, want)
		}
	}
}
