package audience

import (
	"slices"

	"github.com/seamline/seamline/schemas"
)

// naiveWindow is TYPE, [VALUE], [FILTER], [within SPAN].
type naiveWindow struct {
	types  []string
	value  string
	filter naiveNode // nil for none
	isItem bool      // the filter or the value reads fields of items
	span   schemas.Time
}

func (p *naiveParser) window(hasValue bool) *naiveWindow {
	w := &naiveWindow{span: 730 * naiveDay}
	for _, one := range p.types() {
		w.types = append(w.types, one.(string))
	}
	if hasValue {
		p.expect(",")
		w.value = p.next()
		w.isItem = w.value == "quantity" || w.value == "total"
	}
	for {
		if _, ok := p.accept(")"); ok {
			return w
		}
		p.expect(",")
		if p.peek() == "within" && p.words[p.at+1] != "(" {
			p.next()
			w.span = p.span()
			continue
		}
		from := p.at
		w.filter = p.or()
		for _, word := range p.words[from:p.at] {
			w.isItem = w.isItem || slices.Contains([]string{"sku", "category", "brand", "quantity", "price", "total"}, word)
		}
	}
}

func (p *naiveParser) types() []any {
	v := p.value()(nil)
	if list, ok := v.([]any); ok {
		return list
	}
	return []any{v}
}

// matching gives the items that satisfy the filter; the event matches where there is one.
func (w *naiveWindow) matching(v *naiveView, e *schemas.Event) (found []schemas.Item) {
	if !slices.Contains(w.types, e.Type.String()) {
		return nil
	}
	items := e.Items
	if len(items) == 0 || !w.isItem {
		items = []schemas.Item{{SKU: e.SKU, Quantity: e.Quantity, UnitPrice: e.Amount, Total: e.Amount}}
	}
	for _, item := range items {
		inner := &naiveView{past: v.past, now: v.now, event: e, item: item}
		if w.filter == nil || w.filter(inner).(bool) {
			found = append(found, item)
		}
	}
	return found
}

// answer asks a function of the events in the window.
func (w *naiveWindow) answer(name string, v *naiveView) any {
	count, sum, first, last := 0, schemas.Decimal(0), schemas.Time(0), schemas.Time(0)
	for _, e := range v.events {
		if e.Time > v.now || v.now-e.Time >= w.span {
			continue
		}
		items := w.matching(v, e)
		if len(items) == 0 {
			continue
		}
		count++
		if first == 0 || e.Time < first {
			first = e.Time
		}
		last = max(last, e.Time)
		switch w.value {
		case "amount":
			sum += e.Amount
		case "revenue":
			sum += e.Revenue
		}
		for _, item := range items {
			switch w.value {
			case "quantity":
				sum += item.Quantity
			case "total":
				sum += item.Total
			}
		}
	}
	return map[string]any{"count": float64(count), "did": count > 0, "sum": float64(sum) / 10_000, "first": first, "last": last}[name]
}

// sequence reads event(...), event(...), within SPAN, without(...), during SPAN.
func (p *naiveParser) sequence() naiveNode {
	var steps []*naiveWindow
	var without *naiveWindow
	within, during := schemas.Time(0), schemas.Time(730*naiveDay)
	for {
		switch w := p.next(); w {
		case "event":
			p.expect("(")
			steps = append(steps, p.window(false))
		case "without":
			p.expect("(")
			without = p.window(false)
		case "within":
			within = p.span()
		case "during":
			during = p.span()
		default:
			panic("what is " + w)
		}
		if _, ok := p.accept(")"); ok {
			break
		}
		p.expect(",")
	}
	return func(v *naiveView) any {
		return slices.ContainsFunc(v.events, func(e *schemas.Event) bool {
			isFirst := len(steps[0].matching(v, e)) > 0 && e.Time <= v.now && v.now-e.Time < during
			return isFirst && !naiveSpoilt(without, v, e.Time) && naiveGoesOn(steps[1:], v, e.Time, e.Time+within)
		})
	}
}

// naiveSpoilt tells whether something that must not happen did.
func naiveSpoilt(without *naiveWindow, v *naiveView, since schemas.Time) bool {
	return without != nil && slices.ContainsFunc(v.events, func(e *schemas.Event) bool {
		return e.Time > since && e.Time <= v.now && len(without.matching(v, e)) > 0
	})
}

// naiveGoesOn tells whether the steps follow one another after a time, and before another.
func naiveGoesOn(steps []*naiveWindow, v *naiveView, after, before schemas.Time) bool {
	return len(steps) == 0 || slices.ContainsFunc(v.events, func(e *schemas.Event) bool {
		return e.Time > after && e.Time < before && e.Time <= v.now && len(steps[0].matching(v, e)) > 0 && naiveGoesOn(steps[1:], v, e.Time, before)
	})
}
