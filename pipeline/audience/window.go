package audience

import (
	"fmt"
	"slices"

	"github.com/expr-lang/expr/ast"

	"github.com/seamline/seamline/schemas"
)

// windowMax is how far back a window looks that says nothing of it, and the most that it may say.
const windowMax = 730 * schemas.Day

// Steps of a sequence.
const (
	stepsMin = 2
	stepsMax = 8
)

// window is a question about the events of a person in a span of time before the instant at hand.
type window struct {
	steps   []*predicate // of a sequence; else one
	without []*predicate // must not have come since a sequence began
	span    schemas.Time // how far back it looks; of a sequence, from its first event to its last
	during  schemas.Time // of a sequence: how far back it looks
}

// reach is how far back the window needs events.
func (w *window) reach() schemas.Time { return max(w.span, w.during) }

// call is a call in a rule, with its arguments sorted out.
type call struct {
	name   string
	args   []ast.Node // but for spans
	within schemas.Time
	during schemas.Time
}

// newCall takes the spans out of a call's arguments.
func newCall(n *ast.CallNode) (*call, error) {
	c := &call{name: calledName(n)}
	for _, arg := range n.Arguments {
		inner, ok := arg.(*ast.CallNode)
		if !ok || len(inner.Arguments) != 1 {
			c.args = append(c.args, arg)
			continue
		}
		var at *schemas.Time
		switch name := calledName(inner); {
		case name == "within":
			at = &c.within
		case name == "during" && c.name == "sequence":
			at = &c.during
		default:
			c.args = append(c.args, arg)
			continue
		}
		span, err := spanOf(inner.Arguments[0])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.name, err)
		}
		if *at != 0 {
			return nil, fmt.Errorf("%s says %s twice", c.name, calledName(inner))
		}
		if *at = span; span > windowMax {
			return nil, fmt.Errorf("%s: a window looks back for 730 days at most", c.name)
		}
	}
	return c, nil
}

func calledName(n *ast.CallNode) string {
	if id, ok := n.Callee.(*ast.IdentifierNode); ok {
		return id.Value
	}
	return ""
}

// spanOf reads a span that is a text, or was read before.
func spanOf(node ast.Node) (schemas.Time, error) {
	switch n := node.(type) {
	case *ast.StringNode:
		return schemas.ParseSpan(n.Value)
	case *ast.IntegerNode:
		return schemas.Time(n.Value), nil
	}
	return 0, fmt.Errorf("%s is no span such as 36h or 30d", node)
}

// window reads the arguments of count, did, first, last and sum.
func (c *call) window() (window, error) {
	w := window{span: c.within}
	if w.span == 0 {
		w.span = windowMax
	}
	m, args := measureNone, c.args
	if c.name == "sum" {
		if len(args) < 2 {
			return w, fmt.Errorf(`sum needs a type of event and what to add up, as in sum("order", amount, within 90d)`)
		}
		id, ok := args[1].(*ast.IdentifierNode)
		at := -1
		if ok {
			at = slices.Index(measureNames, id.Value)
		}
		if at < 1 {
			return w, fmt.Errorf("sum cannot add up %s; it adds up amount, revenue, quantity or total", args[1])
		}
		m = measure(at)
		args = slices.Delete(slices.Clone(args), 1, 2)
	}
	p, err := c.predicate(args, m)
	w.steps = []*predicate{p}
	return w, err
}

// predicate reads a type and a filter.
func (c *call) predicate(args []ast.Node, m measure) (*predicate, error) {
	if len(args) < 1 || len(args) > 2 {
		return nil, fmt.Errorf(`%s needs a type of event, and may have one filter and one span, as in %s("product_view", category == "shoes", within 7d)`, c.name, c.name)
	}
	var filter ast.Node
	if len(args) == 2 {
		filter = args[1]
	}
	p, err := newPredicate(args[0], filter, m)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.name, err)
	}
	return p, nil
}

// sequence reads the arguments of sequence.
func (c *call) sequence() (window, error) {
	w := window{span: c.within, during: c.during}
	if w.during == 0 {
		w.during = windowMax
	}
	if w.span == 0 {
		return w, fmt.Errorf(`sequence needs a span from its first event to its last, as in sequence(event("product_view"), event("cart_add"), within 2h)`)
	}
	for _, arg := range c.args {
		n, ok := arg.(*ast.CallNode)
		if !ok {
			return w, fmt.Errorf(`sequence: %s is neither event("..."), without("..."), within nor during`, arg)
		}
		inner, err := newCall(n)
		if err != nil {
			return w, err
		}
		if inner.name != "event" && inner.name != "without" || inner.within != 0 {
			return w, fmt.Errorf(`sequence: %s is neither event("..."), without("..."), within nor during`, arg)
		}
		p, err := inner.predicate(inner.args, measureNone)
		if err != nil {
			return w, err
		}
		if inner.name == "event" {
			w.steps = append(w.steps, p)
		} else {
			w.without = append(w.without, p)
		}
	}
	if len(w.steps) < stepsMin || len(w.steps) > stepsMax {
		return w, fmt.Errorf("sequence has %d steps; it may have %d to %d", len(w.steps), stepsMin, stepsMax)
	}
	return w, nil
}

// patcher replaces, when a rule is compiled, spans by numbers, and windows and other audiences by their numbers within the rule.
type patcher struct {
	windows []window
	others  []string
	err     error
}

// Visit implements ast.Visitor. What is within a node was visited before it.
func (p *patcher) Visit(node *ast.Node) {
	if p.err != nil {
		return
	}
	switch n := (*node).(type) {
	case *ast.CallNode:
		p.err = p.call(node, n)
	case *ast.BinaryNode:
		atLeast(node, n)
	}
}

func (p *patcher) call(node *ast.Node, n *ast.CallNode) error {
	switch name := calledName(n); name {
	case "idle", "within":
		return patchSpan(n, name)
	case "count", "did", "sum", "first", "last", "sequence":
		c, err := newCall(n)
		if err != nil {
			return err
		}
		read, target := (*call).window, "window_"+name
		if name == "sequence" {
			read = (*call).sequence
		}
		w, err := read(c)
		if err != nil {
			return err
		}
		numbers := []int{len(p.windows)}
		if name == "did" {
			target, numbers = "window_at_least", append(numbers, 1)
		}
		p.windows = append(p.windows, w)
		patchCall(node, target, numbers...)
	case "member":
		text := (*ast.StringNode)(nil)
		if len(n.Arguments) == 1 {
			text, _ = n.Arguments[0].(*ast.StringNode)
		}
		if text == nil {
			return fmt.Errorf(`member needs the name of another audience, as in member("high_value")`)
		}
		p.others = append(p.others, text.Value)
		patchCall(node, "window_member", len(p.others)-1)
	}
	return nil
}

// patchSpan turns the span in idle(time, 1h) and within(time, 30d) into a number. A within with a span alone belongs to a window.
func patchSpan(n *ast.CallNode, name string) error {
	if len(n.Arguments) != 2 {
		return nil
	}
	if _, done := n.Arguments[1].(*ast.IntegerNode); done {
		return nil
	}
	text, ok := n.Arguments[1].(*ast.StringNode)
	if !ok {
		return fmt.Errorf("%s needs a span such as 36h or 30d", name)
	}
	span, err := schemas.ParseSpan(text.Value)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	ast.Patch(&n.Arguments[1], &ast.IntegerNode{Value: int(span)})
	return nil
}

func patchCall(node *ast.Node, name string, numbers ...int) {
	c := &ast.CallNode{Callee: &ast.IdentifierNode{Value: name}}
	for _, n := range numbers {
		c.Arguments = append(c.Arguments, &ast.IntegerNode{Value: n})
	}
	ast.Patch(node, c)
}

// atLeast turns count(...) >= 2 and count(...) > 1 into a question that need not know how many there are, nor when the oldest of them ends.
func atLeast(node *ast.Node, n *ast.BinaryNode) {
	c, isCall := n.Left.(*ast.CallNode)
	k, isNumber := n.Right.(*ast.IntegerNode)
	if !isCall || !isNumber || n.Operator != ">=" && n.Operator != ">" {
		return
	}
	name, numbers := callee(c)
	if name != "window_count" {
		return
	}
	least := k.Value
	if n.Operator == ">" {
		least++
	}
	patchCall(node, "window_at_least", numbers[0], least)
}
