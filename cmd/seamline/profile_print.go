package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/seamline/seamline/schemas"
)

// columned writes text whose cells, with tabs between them, stand below each other within a block of lines.
type columned struct {
	*errWriter
	tabs *tabwriter.Writer
}

func newColumned(out io.Writer) *columned {
	tabs := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	return &columned{errWriter: &errWriter{out: tabs}, tabs: tabs}
}

// row writes a line of cells, without the empty ones at its end.
func (c *columned) row(cells ...string) {
	for len(cells) > 0 && cells[len(cells)-1] == "" {
		cells = cells[:len(cells)-1]
	}
	c.printf("%s\n", strings.Join(cells, "\t"))
}

// end writes what is held back.
func (c *columned) end() error {
	if c.err == nil {
		c.err = c.tabs.Flush()
	}
	return c.err
}

// print writes the person as text; of an explanation, where it is one.
func (a *dossier) print(out io.Writer) error {
	w := newColumned(out)
	w.printf("profile\t%s\n", a.Profile)
	if a.Alias != nil {
		w.printf("\twas %s until %s\n", a.Alias.ID, a.Alias.Since)
	}
	w.printf("stage\t%s%s\n", a.Stage.Stage, a.Stage.text())
	if a.ScoredAt != nil {
		w.printf("scored\t%s, with models of version %d\n", *a.ScoredAt, a.Models)
	}
	if len(a.Approximate) > 0 {
		w.printf("approximate\t%s\n", strings.Join(a.Approximate, ", "))
	}
	if a.explained {
		for i := range a.Scores {
			a.Scores[i].print(w)
		}
		for i := range a.Fits {
			if i == 0 {
				w.printf("\nmodels in force\n")
			}
			w.printf("  %s\t%s\n", a.Fits[i].Name, a.Fits[i].text())
		}
		return w.end()
	}
	a.printSummary(w)
	for i, step := range a.Journey {
		if i == 0 {
			w.printf("\njourney, the latest step first\n")
		}
		w.row("  "+step.To, step.Time.String(), step.Reason)
	}
	a.printOrders(w)
	a.printPreferences(w)
	a.printProducts(w)
	w.printf("\nscores\n")
	for i := range a.Scores {
		s := &a.Scores[i]
		for _, column := range s.columns {
			if text := valueText(s.Values[column]); text != "" {
				w.printf("  %s\t%s\n", column, text)
			}
		}
	}
	return w.end()
}

func (s *shownStage) text() string {
	text := ""
	if s.Since != nil {
		text = " since " + s.Since.String()
	}
	if s.Reason != "" {
		text += ": " + s.Reason
	}
	return text
}

// inCurrency gives an amount with its currency.
func inCurrency(d schemas.Decimal, currency string) string {
	return strings.TrimSpace(d.String() + " " + currency)
}

func (a *dossier) printSummary(w *columned) {
	s := &a.Summary
	if s.FirstSeen != nil && s.LastSeen != nil {
		w.printf("seen\tfrom %s to %s, %s, %s\n", *s.FirstSeen, *s.LastSeen, number(int(s.Events), "event"), number(int(s.Sessions), "session"))
	}
	for _, c := range s.Channels {
		w.printf("\t%s: %s, last %s\n", c.Channel, number(int(c.Events), "event"), c.LastSeen)
	}
	w.printf("identifiers\t%d\n", s.Identifiers)
	w.printf("orders\t%d", s.Orders)
	if s.LastOrder != nil {
		w.printf(", the last %s", *s.LastOrder)
	}
	if s.Refunds > 0 {
		w.printf("; %s", number(int(s.Refunds), "refund"))
	}
	w.printf("\nrevenue\t%s, %s an order\n", inCurrency(s.Revenue, s.Currency), s.AverageOrder)
	if a.Loyalty.IsMember {
		w.printf("loyalty\t%d points: %d earned, %d burned, %d expired\n", a.Loyalty.Points, a.Loyalty.Earned, a.Loyalty.Burned, a.Loyalty.Expired)
	}
	if c := a.Cart; c != nil {
		w.printf("cart\t%s: %s pieces, %s", strings.Join(c.SKUs, ", "), c.Quantity, inCurrency(c.Value, s.Currency))
		if c.Updated != nil {
			w.printf(", changed %s", *c.Updated)
		}
		w.printf("\n")
	}
}

func (a *dossier) printOrders(w *columned) {
	for i := range a.Orders {
		o := &a.Orders[i]
		if i == 0 {
			w.printf("\norders, the latest first\n")
		}
		where := o.Channel
		if o.StoreID != "" {
			where += " " + o.StoreID
		}
		if o.IsVoid {
			where += ", cancelled"
		}
		w.printf("  %s\t%s\t%s\t%s\n", o.OrderID, o.Time, inCurrency(o.Net, o.Currency), where)
		for j := range o.Lines {
			l := &o.Lines[j]
			w.row("    "+l.Type, l.SKU, l.Total.String(), l.Quantity.String()+" x "+l.UnitPrice.String(), l.Name)
		}
	}
}

func (a *dossier) printPreferences(w *columned) {
	p := &a.Preferences
	w.printf("\npreferences\n")
	for _, row := range []struct {
		name string
		list []shownWeight
	}{{"categories", p.Categories}, {"brands", p.Brands}, {"looks on", p.Browse}, {"answers on", p.Respond}, {"buys on", p.Buy}} {
		if len(row.list) > 0 {
			w.printf("  %s\t%s\n", row.name, weightsText(row.list))
		}
	}
	w.printf("  write to\t%s, best %s\n", hourText(p.SendHour), hourText(p.BestHour))
	for _, purpose := range slices.Sorted(maps.Keys(p.Consent)) {
		if answer := p.Consent[purpose]; answer != schemas.ConsentUnset.String() {
			w.printf("  %s\t%s\n", purpose, answer)
		}
	}
}

// hourText names an hour of the week.
func hourText(hour int64) string {
	return fmt.Sprintf("%s %02d:00 UTC", time.Weekday((hour/24+1)%7), hour%24)
}

func weightsText(list []shownWeight) string {
	texts := make([]string, len(list))
	for i, w := range list {
		texts[i] = w.Word + " " + floatText(float64(w.Weight))
	}
	return strings.Join(texts, ", ")
}

func (a *dossier) printProducts(w *columned) {
	for i, r := range a.Recommendations {
		if i == 0 {
			w.printf("\nrecommendations\n")
		}
		w.printf("  %s\t%s\t%s\n", r.SKU, floatText(float64(r.Score)), r.Reason)
	}
	for i := range a.Products {
		p := &a.Products[i]
		if i == 0 {
			w.printf("\nproducts, as of now\n")
		}
		price := "price unknown"
		if p.Price != nil {
			price = inCurrency(*p.Price, p.Currency)
		}
		w.row("  "+p.SKU, price, p.why(), p.stockText(), p.Name)
	}
}

// why says what a product is to the person.
func (p *shownProduct) why() string {
	var why []string
	if p.InCart {
		why = append(why, "in the cart")
	}
	if p.LookedAt != nil {
		why = append(why, "looked at")
	}
	if p.IsRecommended {
		why = append(why, "recommended")
	}
	return strings.Join(why, ", ")
}

// stockText says where a product is.
func (p *shownProduct) stockText() string {
	var texts []string
	for i := range p.Places {
		at := &p.Places[i]
		text := at.StoreID
		if text == "" {
			text = "online"
		}
		if at.Quantity != nil {
			text += " " + at.Quantity.String()
		} else if at.Availability != "" {
			text += " " + at.Availability
		}
		if at.Price != nil {
			text += " at " + inCurrency(*at.Price, at.Currency)
		}
		texts = append(texts, text)
	}
	if len(texts) == 0 && p.Availability != "" {
		return p.Availability
	}
	return strings.Join(texts, ", ")
}

// print writes an explained score.
func (s *shownScore) print(w *columned) {
	w.printf("\n%s, version %d: %s\n", s.Name, s.Version, s.Formula)
	for _, column := range s.columns {
		w.printf("  %s\t%s\n", column, orNone(valueText(s.Values[column])))
	}
	for _, column := range s.inputs {
		w.printf("  from %s\t%s\n", column, orNone(valueText(s.Inputs[column])))
	}
	for _, m := range s.Models {
		w.printf("  model %s\t%s\n", m.Name, m.text())
	}
	if len(s.Approximate) > 0 {
		w.printf("  approximate\t%s\n", strings.Join(s.Approximate, ", "))
	}
	for _, e := range s.Evidence {
		if e.Person != nil {
			w.printf("  events %s\t%s\n", e.Type, e.Person.text())
		}
		if e.Machine != nil {
			w.printf("  events %s, machines\t%s\n", e.Type, e.Machine.text())
		}
	}
	if len(s.Evidence) == 0 {
		w.printf("  events\tnone\n")
	}
	w.printf("  source\t%s\n", s.Source)
}

func (m *shownModel) text() string {
	var texts []string
	for _, name := range slices.Sorted(maps.Keys(m.Parameters)) {
		texts = append(texts, name+" "+floatText(m.Parameters[name]))
	}
	return fmt.Sprintf("version %d, fitted %s on %d: %s", m.Version, m.FittedAt, m.People, orNone(strings.Join(texts, ", ")))
}

func (c *shownCount) text() string {
	if c.Events == 1 {
		return fmt.Sprintf("1, %s", c.First)
	}
	return fmt.Sprintf("%d, from %s to %s", c.Events, c.First, c.Last)
}

func orNone(text string) string {
	if text == "" {
		return "none"
	}
	return text
}

// floatText gives a number with the digits that a person reads.
func floatText(x float64) string { return strconv.FormatFloat(x, 'g', 6, 64) }

// valueText gives a cell as text; empty for nothing.
func valueText(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case float32:
		return floatText(float64(v))
	case float64:
		return floatText(v)
	case []string:
		return strings.Join(v, ", ")
	case []float32:
		texts := make([]string, len(v))
		for i, x := range v {
			texts[i] = floatText(float64(x))
		}
		return strings.Join(texts, ", ")
	case map[string]any:
		var texts []string
		for _, word := range slices.Sorted(maps.Keys(v)) {
			texts = append(texts, word+" "+valueText(v[word]))
		}
		return strings.Join(texts, ", ")
	}
	return fmt.Sprint(v)
}
