package audience

import (
	"fmt"
	"slices"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/vm"

	"github.com/seamline/seamline/schemas"
)

// eventEnvironment is what a filter sees of an event and of one of its items. The tags are the names that filters use.
type eventEnvironment struct {
	Channel  string  `expr:"channel"`
	SKU      string  `expr:"sku"`
	Category string  `expr:"category"`
	Brand    string  `expr:"brand"`
	Quantity float64 `expr:"quantity"`
	Price    float64 `expr:"price"` // of a piece
	Total    float64 `expr:"total"` // of the item
	Amount   float64 `expr:"amount"`
	Revenue  float64 `expr:"revenue"` // signed: what the event changed
	Currency string  `expr:"currency"`
	Store    string  `expr:"store"`
	PagePath string  `expr:"page_path"`
	Campaign string  `expr:"campaign"`
	Source   string  `expr:"campaign_source"`
	Medium   string  `expr:"campaign_medium"`
	Name     string  `expr:"campaign_name"`
	Variant  string  `expr:"variant"`
	Machine  bool    `expr:"machine"`
	Country  string  `expr:"country"`
	Message  string  `expr:"message"`
	Link     string  `expr:"link"`
}

// itemFields are those of an item: a filter that reads one of them is asked of each item.
var itemFields = []string{"sku", "category", "brand", "quantity", "price", "total"}

// measure is what a window adds up.
type measure uint8

const (
	measureNone measure = iota
	measureAmount
	measureRevenue
	measureQuantity
	measureTotal
)

var measureNames = []string{"", "amount", "revenue", "quantity", "total"}

// predicate tells which events a window is about.
type predicate struct {
	key       string // its text in one form: equal predicates have equal keys
	types     uint64 // set of schemas.Type
	program   *vm.Program
	condition condition // of the program; nil where only the machine can run it, and where there is no filter
	ofItems   bool      // asked of each item of an event
	measure   measure
	field     string   // a text field that must have one of values; empty where the filter names none
	values    []string // sorted
}

// newPredicate reads the type or types, and the filter if there is one.
func newPredicate(types ast.Node, filter ast.Node, m measure) (*predicate, error) {
	p := &predicate{measure: m, ofItems: m == measureQuantity || m == measureTotal}
	names, err := typeNames(types)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		p.types |= 1 << slices.Index(schemas.TypeNames(), name)
	}
	text := ""
	if filter != nil {
		text = filter.String()
		if err := p.compile(text); err != nil {
			return nil, err
		}
	}
	slices.Sort(names)
	p.key = strings.Join(slices.Compact(names), ",") + "|" + text + "|" + measureNames[m]
	return p, nil
}

// typeNames reads a text or a list of texts that are canonical types.
func typeNames(node ast.Node) (names []string, err error) {
	nodes := []ast.Node{node}
	if list, ok := node.(*ast.ArrayNode); ok {
		nodes = list.Nodes
	}
	for _, n := range nodes {
		text, ok := n.(*ast.StringNode)
		if !ok || text.Value == "" {
			return nil, fmt.Errorf("%s is not a type of event: write it as a text, such as \"product_view\", or as a list of texts", n)
		}
		if !slices.Contains(schemas.TypeNames(), text.Value) {
			return nil, fmt.Errorf("unknown type of event %q%s", text.Value, nearest(text.Value, schemas.TypeNames()))
		}
		names = append(names, text.Value)
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("the list of types of events is empty")
	}
	return names, nil
}

func (p *predicate) compile(text string) error {
	program, err := expr.Compile(text, append(languageOptions(), expr.Env(&eventEnvironment{}), expr.AsBool())...)
	if err != nil {
		return fmt.Errorf("filter %s: %w%s", text, err, suggestion(err, eventFields))
	}
	p.program, p.condition = program, eventFields.condition(program.Node())
	node := program.Node()
	ast.Walk(&node, visitor(func(n ast.Node) {
		if id, ok := n.(*ast.IdentifierNode); ok && slices.Contains(itemFields, id.Value) {
			p.ofItems = true
		}
	}))
	p.field, p.values = required(node)
	return nil
}

// visitor walks a tree.
type visitor func(n ast.Node)

// Visit implements ast.Visitor.
func (v visitor) Visit(node *ast.Node) { v(*node) }

// required gives a text field that an event must have one of some values in, or the filter is false; no field where there is none such.
func required(node ast.Node) (field string, values []string) {
	n, ok := node.(*ast.BinaryNode)
	if !ok {
		return "", nil
	}
	switch n.Operator {
	case "and", "&&":
		if field, values = required(n.Left); field == "" {
			field, values = required(n.Right)
		}
		return field, values
	case "==":
		id, isName := n.Left.(*ast.IdentifierNode)
		text, isText := n.Right.(*ast.StringNode)
		if isName && isText {
			return id.Value, []string{text.Value}
		}
	case "in":
		id, isName := n.Left.(*ast.IdentifierNode)
		list, isList := n.Right.(*ast.ConstantNode)
		if !isName || !isList {
			return "", nil
		}
		if set, ok := list.Value.(map[string]struct{}); ok {
			for value := range set {
				values = append(values, value)
			}
			slices.Sort(values)
			return id.Value, values
		}
	}
	return "", nil
}

// setEvent sets the event that filters are asked about, with its own product where it has no items.
func (e *evaluator) setEvent(ev *schemas.Event) {
	e.event = eventEnvironment{Channel: ev.Channel.String(), SKU: ev.SKU, Quantity: ev.Quantity.Float(), Price: ev.Amount.Float(), Total: ev.Amount.Float(),
		Amount: ev.Amount.Float(), Revenue: ev.Revenue.Float(), Currency: ev.Currency, Store: ev.StoreID, PagePath: ev.PagePath, Campaign: ev.Campaign.ID,
		Source: ev.Campaign.Source, Medium: ev.Campaign.Medium, Name: ev.Campaign.Name, Variant: ev.Variant, Machine: ev.Machine, Country: ev.Country,
		Message: ev.MessageID, Link: ev.LinkURL}
}

// setItem sets the item of the event that filters are asked about.
func (e *evaluator) setItem(it *schemas.Item) {
	e.event.SKU, e.event.Category, e.event.Brand = it.SKU, it.Category, it.Brand
	e.event.Quantity, e.event.Price, e.event.Total = it.Quantity.Float(), it.UnitPrice.Float(), it.Total.Float()
}
