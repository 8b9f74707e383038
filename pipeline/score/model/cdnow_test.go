package model

import (
	"strings"
	"testing"
	"time"
)

// buyer is one customer of the CDNOW sample: the first 39 weeks as a history, then the purchase days of the next 39.
type buyer struct {
	Cell
	mean  float64 // dollars per repeat purchase day
	later float64
}

// cdnow reads the sample of 2,357 customers as Fader and Hardie do: purchases of one day are one, time is days / 7.
func cdnow(t testing.TB) (cells []Cell, buyers []buyer) {
	t.Helper()
	end := date(t, "19970930")
	type purse struct {
		days   []time.Time
		spends []float64
	}
	purses, order := map[string]*purse{}, []string(nil)
	for _, line := range readLines(t, "pos/cdnow_sample.txt.gz") {
		f := strings.Fields(line)
		p := purses[f[1]]
		if p == nil {
			p = &purse{}
			purses[f[1]] = p
			order = append(order, f[1])
		}
		day, spend := date(t, f[2]), number(t, f[4])
		if n := len(p.days); n > 0 && p.days[n-1].Equal(day) {
			p.spends[n-1] += spend
			continue
		}
		p.days, p.spends = append(p.days, day), append(p.spends, spend)
	}
	for _, id := range order {
		p := purses[id]
		b := buyer{Cell: Cell{T: weeks(end.Sub(p.days[0])), N: 1}}
		for i, day := range p.days[1:] {
			if day.After(end) {
				b.later++
				continue
			}
			b.X++
			b.TX = weeks(day.Sub(p.days[0]))
			b.mean += p.spends[i+1]
		}
		if b.X > 0 {
			b.mean /= float64(b.X)
		}
		buyers, cells = append(buyers, b), append(cells, b.Cell)
	}
	if len(buyers) != 2357 {
		t.Fatalf("%d customers, want 2357", len(buyers))
	}
	return cells, buyers
}

func weeks(d time.Duration) float64 { return d.Hours() / 24 / 7 }

func date(t testing.TB, text string) time.Time {
	t.Helper()
	v, err := time.Parse("20060102", text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
