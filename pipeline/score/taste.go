package score

import (
	"cmp"
	"math"
	"slices"

	"github.com/seamline/seamline/schemas"
)

// taste is what the cells of a profile say as of a time. Its memory is used again.
type taste struct {
	categories, brands  []wordWeight
	browse, respond     [schemas.ChannelCount]float64 // visits, decayed
	messages            [schemas.ChannelCount]uint32  // sent that are no e-mail
	sent, clicks, opens float64
	hours               []hourCount
	answers             [schemas.SurveyCSAT + 1]latestAnswer
	consent             [schemas.PurposeCount]schemas.ConsentState
	consentAt           schemas.Time
	viewed, bought      recent
}

type wordWeight struct {
	word   uint32
	weight float64
}

type hourCount struct {
	hour          uint8
	clicks, sends uint32
}

type latestAnswer struct {
	at    schemas.Time
	print uint32
	score int8
}

// foldTaste merges the cells of the leaves that were folded, and reads them.
func (s *Stage) foldTaste(now schemas.Time) *taste {
	f := &s.fold
	t := &f.taste
	*t = taste{categories: t.categories[:0], brands: t.brands[:0], hours: t.hours[:0]}
	f.cells = f.cells[:0]
	leaves := 0
	for _, i := range f.leaves {
		l := s.leaves.At(i)
		if l.cells != 0 {
			leaves++
			f.cells = s.appendCells(f.cells, l)
		}
		t.viewed.merge(s, l.viewed)
		t.bought.merge(s, l.bought)
	}
	if leaves > 1 {
		slices.SortStableFunc(f.cells, compareCells)
		f.cells = mergeCells(f.cells)
	}
	for i := range f.cells {
		t.read(&f.cells[i], now)
	}
	t.addVisits(f.visits, now)
	slices.SortFunc(t.hours, func(a, b hourCount) int { return cmp.Compare(a.hour, b.hour) })
	return t
}

// addVisits counts the visits in the ledger by channel, decayed: a click on a message is an answer on its channel.
func (t *taste) addVisits(visits []visit, now schemas.Time) {
	for i := range visits {
		v := &visits[i]
		weight := math.Exp2(-float64(now-v.end) / float64(halfLife))
		if _, isMessage := messagePurpose(v.channel); isMessage {
			t.respond[v.channel] += weight
		} else {
			t.browse[v.channel] += weight
		}
	}
}

func compareCells(a, b keyed) int { return cmp.Compare(a.key, b.key) }

// mergeCells makes one of cells with the same key, which are side by side.
func mergeCells(cells []keyed) []keyed {
	n := 0
	for i := range cells {
		if n > 0 && cells[n-1].key == cells[i].key {
			cells[n-1].merge(&cells[i].cell)
			continue
		}
		cells[n] = cells[i]
		n++
	}
	return cells[:n]
}

func (r *recent) merge(s *Stage, list uint32) {
	if list == 0 {
		return
	}
	for _, m := range s.recents.At(list) {
		if m.sku != 0 {
			r.note(s.skus.words, m)
		}
	}
}

// read takes in what one cell says.
func (t *taste) read(c *keyed, now schemas.Time) {
	of := c.key & (1<<kindBits - 1)
	switch kind(c.key >> kindBits) {
	case kindCategory:
		t.categories = append(t.categories, wordWeight{word: of, weight: c.read(now)})
	case kindBrand:
		t.brands = append(t.brands, wordWeight{word: of, weight: c.read(now)})
	case kindSent:
		t.sent = c.read(now)
	case kindClick:
		t.clicks = c.read(now)
	case kindOpen:
		t.opens = c.read(now)
	case kindMessages:
		t.messages[of] = c.sums[0]
	case kindHour:
		t.hours = append(t.hours, hourCount{hour: uint8(of), clicks: c.sums[0], sends: c.sums[1]})
	case kindAnswer:
		t.readAnswer(&c.cell)
	case kindConsent:
		at, value := c.answer()
		t.consent[of] = schemas.ConsentState(value)
		t.consentAt = max(t.consentAt, at)
	}
}

// readAnswer keeps the latest answer of each scale.
func (t *taste) readAnswer(c *cell) {
	at, value := c.answer()
	a := &t.answers[value>>8]
	if at > a.at || at == a.at && c.sums[2] > a.print {
		*a = latestAnswer{at: at, print: c.sums[2], score: int8(value & 255)}
	}
}
