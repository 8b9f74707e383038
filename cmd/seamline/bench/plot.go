package bench

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// The look of all plots.
const (
	plotWidth  = 900.0
	labelWidth = 330.0
	barHeight  = 22.0
	barGap     = 12.0
	textStyle  = `font-family="sans-serif" font-size="12"`
	linesWide  = 620.0
	linesHigh  = 380.0
	margin     = 60.0
)

// stack is the parts of a bar, from left to right.
var stack = []struct{ measure, title, colour string }{
	{Pipeline, "pipeline", "#2f6db3"}, {Broker, "broker", "#8a8a8a"}, {Inserts, "ClickHouse, inserts", "#e0a030"}, {Merges, "ClickHouse, merges", "#b4572a"},
}

// hasStack tells whether the part has CPU times to draw.
func hasStack(p *Part) bool {
	for _, v := range p.Variants {
		if v.Median(Total) > 0 {
			return true
		}
	}
	return false
}

// stackedBars draws the CPU time per event of each variant, by process, with the least and the most of all rounds.
func stackedBars(p *Part) string {
	longest := 0.0
	for _, v := range p.Variants {
		longest = max(longest, SpreadOf(v.Values(Total)).Max)
	}
	step := tick(longest)
	scale := (plotWidth - labelWidth - 40) / (math.Ceil(longest/step) * step)
	bottom := 60 + float64(len(p.Variants))*(barHeight+barGap)
	var b strings.Builder
	open(&b, plotWidth, bottom+50, p.About)
	for i, s := range stack {
		x := labelWidth + float64(i)*140
		fmt.Fprintf(&b, `<rect x="%.1f" y="30" width="12" height="12" fill="%s"/>`+"\n", x, s.colour)
		text(&b, x+17, 40, "start", s.title)
	}
	for value := 0.0; value <= longest+step/2; value += step {
		x := labelWidth + value*scale
		fmt.Fprintf(&b, `<line x1="%.1f" y1="52" x2="%.1f" y2="%.1f" stroke="#dddddd"/>`+"\n", x, x, bottom)
		text(&b, x, bottom+16, "middle", fmt.Sprintf("%g", value))
	}
	for i, v := range p.Variants {
		y, x := 60+float64(i)*(barHeight+barGap), labelWidth
		text(&b, labelWidth-8, y+barHeight/2+4, "end", v.Name)
		for _, s := range stack {
			width := v.Median(s.measure) * scale
			fmt.Fprintf(&b, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.0f" fill="%s"/>`+"\n", x, y, width, barHeight, s.colour)
			x += width
		}
		all := SpreadOf(v.Values(Total))
		from, to, middle := labelWidth+all.Min*scale, labelWidth+all.Max*scale, y+barHeight/2
		fmt.Fprintf(&b, `<path d="M%.1f %.1fH%.1fM%.1f %.1fv8M%.1f %.1fv8" stroke="black"/>`+"\n", from, middle, to, from, middle-4, to, middle-4)
	}
	text(&b, labelWidth, bottom+36, "start", "microseconds of CPU time per event; line: least and most of all rounds")
	b.WriteString("</svg>\n")
	return b.String()
}

// logLines draws a law with both axes logarithmic; points at 0 stand at the left edge.
func logLines(l *Law) string {
	var b strings.Builder
	open(&b, linesWide+2*margin, linesHigh+2*margin, fmt.Sprintf("%s: slope %.3f", l.Name, l.Slope))
	x := axisOf(l.Points, func(p Point) float64 { return p.X })
	y := axisOf(l.Points, func(p Point) float64 { return p.Y })
	at := func(p Point) (float64, float64) {
		return margin + x.place(p.X)*linesWide, margin + (1-y.place(p.Y))*linesHigh
	}
	for _, value := range x.ticks() {
		left := margin + x.place(value)*linesWide
		fmt.Fprintf(&b, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="#dddddd"/>`+"\n", left, margin, left, margin+linesHigh)
		text(&b, left, margin+linesHigh+18, "middle", short(value))
	}
	for _, value := range y.ticks() {
		top := margin + (1-y.place(value))*linesHigh
		fmt.Fprintf(&b, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="#dddddd"/>`+"\n", margin, top, margin+linesWide, top)
		text(&b, margin-6, top+4, "end", short(value))
	}
	var path strings.Builder
	for i, p := range l.Points {
		left, top := at(p)
		fmt.Fprintf(&path, "%c%.1f %.1f", "ML"[min(i, 1)], left, top)
		fmt.Fprintf(&b, `<circle cx="%.1f" cy="%.1f" r="4" fill="#2f6db3"/>`+"\n", left, top)
		text(&b, left, top-9, "middle", fmt.Sprintf("%.3g", p.Y))
	}
	fmt.Fprintf(&b, `<path d="%s" fill="none" stroke="#2f6db3" stroke-width="2"/>`+"\n", path.String())
	text(&b, margin+linesWide/2, margin+linesHigh+40, "middle", l.X)
	fmt.Fprintf(&b, `<text x="16" y="%.1f" text-anchor="middle" transform="rotate(-90 16 %.1f)" %s>%s</text>`+"\n",
		margin+linesHigh/2, margin+linesHigh/2, textStyle, html.EscapeString(l.Y))
	b.WriteString("</svg>\n")
	return b.String()
}

// open begins a plot with its title.
func open(b *strings.Builder, width, height float64, title string) {
	fmt.Fprintf(b, `<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%.0f" viewBox="0 0 %.0f %.0f">`+"\n", width, height, width, height)
	b.WriteString(`<rect width="100%" height="100%" fill="white"/>` + "\n")
	text(b, 16, 18, "start", title)
}

func text(b *strings.Builder, x, y float64, anchor, words string) {
	fmt.Fprintf(b, `<text x="%.1f" y="%.1f" text-anchor="%s" %s>%s</text>`+"\n", x, y, anchor, textStyle, html.EscapeString(words))
}

// axis is a logarithmic axis.
type axis struct{ from, to float64 }

// axisOf spans at least the values, and at least a factor of two.
func axisOf(points []Point, of func(Point) float64) axis {
	a := axis{math.Inf(1), 0}
	for _, p := range points {
		if v := of(p); v > 0 {
			a.from, a.to = min(a.from, v), max(a.to, v)
		}
	}
	if a.to == 0 {
		return axis{1, 10}
	}
	if a.to < 2*a.from {
		a.from, a.to = a.from/1.5, a.to*1.5
	}
	return axis{a.from / 1.15, a.to * 1.15}
}

// place gives 0 at the beginning and 1 at the end.
func (a axis) place(v float64) float64 {
	if v <= 0 {
		return 0
	}
	return math.Log(v/a.from) / math.Log(a.to/a.from)
}

// ticks are round numbers on the axis: powers of ten, with halves and fifths where there are few.
func (a axis) ticks() []float64 {
	var ticks []float64
	leads := []float64{1}
	if a.to/a.from < 500 {
		leads = []float64{1, 2, 5}
	}
	for power := math.Floor(math.Log10(a.from)); power <= math.Log10(a.to); power++ {
		for _, lead := range leads {
			if v := lead * math.Pow(10, power); v >= a.from && v <= a.to {
				ticks = append(ticks, v)
			}
		}
	}
	return ticks
}

// tick is a round step of which up to ten fit into span.
func tick(span float64) float64 {
	if span <= 0 {
		return 1
	}
	step := math.Pow(10, math.Floor(math.Log10(span/10)))
	for _, factor := range []float64{1, 2, 5, 10} {
		if span/(step*factor) <= 10 {
			return step * factor
		}
	}
	return 10 * step
}

// short writes a number with k or M.
func short(v float64) string {
	switch {
	case v >= 1e6:
		return fmt.Sprintf("%gM", v/1e6)
	case v >= 1e3:
		return fmt.Sprintf("%gk", v/1e3)
	}
	return fmt.Sprintf("%g", v)
}
