package audience

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/seamline/seamline/schemas"
)

// The naive evaluator answers a rule from the whole raw history of a person, as the definition reads, and shares nothing with the engine: it
// has its own words, its own grammar, and looks at every event for every question.

// past is what is known of a person.
type past struct {
	events []*schemas.Event
	fields map[string]any  // fields of the profile
	inside map[string]bool // other audiences
}

// asked says whether a person belongs by a rule at an instant. Who asked for erasure and did not sign up again belongs nowhere.
func asked(t *testing.T, rule string, who *past, at schemas.Time) bool {
	t.Helper()
	defer func() {
		if err := recover(); err != nil {
			t.Fatalf("naive evaluator: %s: %v", rule, err)
		}
	}()
	gone, back := schemas.Time(0), schemas.Time(0)
	for _, e := range who.events {
		switch {
		case e.Time > at:
		case e.Type == schemas.TypeAccountDeleted:
			gone = max(gone, e.Time)
		case e.Type == schemas.TypeSignup:
			back = max(back, e.Time)
		}
	}
	if gone > 0 && back <= gone {
		return false
	}
	p := &naiveParser{words: naiveWords(rule)}
	root := p.or()
	if p.at < len(p.words) {
		panic("what is " + p.words[p.at])
	}
	return root(&naiveView{past: who, now: at}).(bool)
}

// naiveView is what an expression is asked of: a person at an instant, and within a filter one event and one of its items.
type naiveView struct {
	*past
	now   schemas.Time
	event *schemas.Event
	item  schemas.Item
}

// naiveNode gives a bool, a float64, a string, a schemas.Time, or a list of them.
type naiveNode func(v *naiveView) any

var naiveWord = regexp.MustCompile(`\s*("[^"]*"|\d[\d.]*[a-z][\da-z]*|\d[\d.]*|\w+|==|!=|<=|>=|&&|\|\||[-+*/<>!()\[\],])`)

// naiveWords cuts a rule into words: texts with their quotes, numbers, spans, names and signs.
func naiveWords(rule string) (words []string) {
	for rest := strings.TrimSpace(rule); rest != ""; rest = strings.TrimSpace(rest) {
		at := naiveWord.FindStringSubmatchIndex(rest)
		if at == nil || at[0] != 0 {
			panic("cannot read " + rest)
		}
		words = append(words, rest[at[2]:at[3]])
		rest = rest[at[1]:]
	}
	return words
}

type naiveParser struct {
	words []string
	at    int
}

func (p *naiveParser) peek() string {
	if p.at < len(p.words) {
		return p.words[p.at]
	}
	return ""
}

func (p *naiveParser) next() string {
	w := p.peek()
	p.at++
	return w
}

// accept takes the next word where it is one of some.
func (p *naiveParser) accept(any ...string) (string, bool) {
	if w := p.peek(); slices.Contains(any, w) {
		p.at++
		return w, true
	}
	return "", false
}

func (p *naiveParser) expect(word string) {
	if w := p.next(); w != word {
		panic(fmt.Sprintf("%q where %q is due", w, word))
	}
}

func (p *naiveParser) or() naiveNode {
	left := p.and()
	for {
		if _, ok := p.accept("or", "||"); !ok {
			return left
		}
		a, b := left, p.and()
		left = func(v *naiveView) any { return a(v).(bool) || b(v).(bool) }
	}
}

func (p *naiveParser) and() naiveNode {
	left := p.not()
	for {
		if _, ok := p.accept("and", "&&"); !ok {
			return left
		}
		a, b := left, p.not()
		left = func(v *naiveView) any { return a(v).(bool) && b(v).(bool) }
	}
}

func (p *naiveParser) not() naiveNode {
	if _, ok := p.accept("not", "!"); ok {
		inner := p.not()
		return func(v *naiveView) any { return !inner(v).(bool) }
	}
	return p.comparison()
}

func (p *naiveParser) comparison() naiveNode {
	a := p.sum()
	isNot := false
	if p.peek() == "not" && p.at+1 < len(p.words) && p.words[p.at+1] == "in" {
		p.next()
		isNot = true
	}
	sign, ok := p.accept("==", "!=", "<", "<=", ">", ">=", "in", "contains", "startsWith", "endsWith")
	if !ok {
		return a
	}
	b := p.sum()
	return func(v *naiveView) any { return naiveCompare(sign, a(v), b(v)) != isNot }
}

func naiveCompare(sign string, a, b any) bool {
	switch sign {
	case "==":
		return a == b
	case "!=":
		return a != b
	case "in":
		return slices.Contains(b.([]any), a)
	case "contains":
		return strings.Contains(a.(string), b.(string))
	case "startsWith":
		return strings.HasPrefix(a.(string), b.(string))
	case "endsWith":
		return strings.HasSuffix(a.(string), b.(string))
	}
	x, isNumber := a.(float64)
	if !isNumber {
		return naiveOrder(sign, strings.Compare(a.(string), b.(string)))
	}
	y := b.(float64)
	switch {
	case x < y:
		return naiveOrder(sign, -1)
	case x > y:
		return naiveOrder(sign, 1)
	}
	return naiveOrder(sign, 0)
}

func naiveOrder(sign string, order int) bool {
	return order < 0 && sign[0] == '<' || order > 0 && sign[0] == '>' || order == 0 && len(sign) == 2
}

func (p *naiveParser) sum() naiveNode     { return p.chain(p.product, "+", "-") }
func (p *naiveParser) product() naiveNode { return p.chain(p.value, "*", "/") }

func (p *naiveParser) chain(part func() naiveNode, signs ...string) naiveNode {
	left := part()
	for {
		sign, ok := p.accept(signs...)
		if !ok {
			return left
		}
		a, b := left, part()
		left = func(v *naiveView) any {
			x, y := a(v).(float64), b(v).(float64)
			return map[string]float64{"+": x + y, "-": x - y, "*": x * y, "/": x / y}[sign]
		}
	}
}

func (p *naiveParser) value() naiveNode {
	w := p.next()
	switch {
	case w == "-":
		inner := p.value()
		return func(v *naiveView) any { return -inner(v).(float64) }
	case w == "(":
		inner := p.or()
		p.expect(")")
		return inner
	case w == "[":
		return p.list()
	case w == "true", w == "false":
		return func(*naiveView) any { return w == "true" }
	case w[0] == '"':
		return func(*naiveView) any { return strings.Trim(w, `"`) }
	case w[0] >= '0' && w[0] <= '9':
		n, err := strconv.ParseFloat(w, 64)
		if err != nil {
			panic(err)
		}
		return func(*naiveView) any { return n }
	}
	if _, ok := p.accept("("); ok {
		return p.call(w)
	}
	return func(v *naiveView) any { return v.field(w) }
}

func (p *naiveParser) list() naiveNode {
	var parts []naiveNode
	for p.peek() != "]" {
		parts = append(parts, p.value())
		p.accept(",")
	}
	p.expect("]")
	return func(v *naiveView) any {
		list := []any{}
		for _, part := range parts {
			list = append(list, part(v))
		}
		return list
	}
}

// call reads what follows a function's name and its bracket.
func (p *naiveParser) call(name string) naiveNode {
	switch name {
	case "idle", "within":
		at := p.value()
		p.expect(",")
		span := p.span()
		p.expect(")")
		return func(v *naiveView) any {
			x := at(v).(schemas.Time)
			return x != 0 && (v.now-x >= span) == (name == "idle")
		}
	case "member", "consent":
		of := strings.Trim(p.next(), `"`)
		p.expect(")")
		if name == "consent" {
			return func(v *naiveView) any { return v.field("consent_" + of) }
		}
		return func(v *naiveView) any { return v.inside[of] }
	case "sequence":
		return p.sequence()
	case "count", "did", "sum", "first", "last":
		w := p.window(name == "sum")
		return func(v *naiveView) any { return w.answer(name, v) }
	}
	panic("no function " + name)
}

const naiveDay = 24 * 3600 * 1000 // milliseconds

var naiveSpanPart = regexp.MustCompile(`(\d+)([smhdwy])`)

// span reads 90s, 30m, 2h, 7d, 2w, 1y, in quotes or without.
func (p *naiveParser) span() (span schemas.Time) {
	text := strings.Trim(p.next(), `"`)
	for _, part := range naiveSpanPart.FindAllStringSubmatch(text, -1) {
		n, err := strconv.Atoi(part[1])
		if err != nil {
			panic(err)
		}
		span += schemas.Time(n) * map[string]schemas.Time{"s": 1000, "m": 60_000, "h": 3_600_000, "d": naiveDay, "w": 7 * naiveDay, "y": 365 * naiveDay}[part[2]]
	}
	if span == 0 {
		panic("no span: " + text)
	}
	return span
}

// field gives a field of the event and item in a filter, else of the profile.
func (v *naiveView) field(name string) any {
	if v.event == nil {
		value, ok := v.fields[name]
		if !ok {
			panic("no field " + name)
		}
		return value
	}
	e, money := v.event, func(d schemas.Decimal) float64 { return float64(d) / 10_000 }
	value, ok := map[string]any{"channel": e.Channel.String(), "sku": v.item.SKU, "category": v.item.Category, "brand": v.item.Brand,
		"quantity": money(v.item.Quantity), "price": money(v.item.UnitPrice), "total": money(v.item.Total), "amount": money(e.Amount), "revenue": money(e.Revenue),
		"currency": e.Currency, "store": e.StoreID, "page_path": e.PagePath, "campaign": e.Campaign.ID, "campaign_source": e.Campaign.Source,
		"campaign_medium": e.Campaign.Medium, "campaign_name": e.Campaign.Name, "variant": e.Variant, "machine": e.Machine, "country": e.Country,
		"message": e.MessageID, "link": e.LinkURL}[name]
	if !ok {
		panic("no field of events " + name)
	}
	return value
}
