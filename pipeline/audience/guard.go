package audience

import (
	"cmp"
	"math"
	"slices"

	"github.com/expr-lang/expr/ast"

	"github.com/seamline/seamline/schemas"
)

// guard is a part of a condition that must hold, or the condition is false: something is at least so much. There may be thousands of rules
// that differ in nothing but that. They stand on one ladder, and only those whose guard holds are looked at.
type guard struct {
	window int      // a window that must hold so many events; -1 for none
	isSum  bool     // or whose sum must be so much
	value  ast.Node // or a number that must be so much
	time   ast.Node // or a time that must lie so much back
	least  float64
}

// key is the same for guards that differ in least alone.
func (g *guard) key() string {
	if g.time != nil {
		return "idle " + g.time.String()
	}
	return g.value.String()
}

// guards gives guards of an expression of which one must hold, or it is false; nil where it may be true without.
func guards(node ast.Node) []guard {
	switch n := node.(type) {
	case *ast.CallNode:
		return guardOfCall(n)
	case *ast.BinaryNode:
		switch n.Operator {
		case "and", "&&":
			left, right := guards(n.Left), guards(n.Right)
			if left == nil || right != nil && better(right, left) {
				return right
			}
			return left
		case "or", "||":
			left, right := guards(n.Left), guards(n.Right)
			if left != nil && right != nil {
				return append(slices.Clone(left), right...)
			}
		case ">", ">=", "==":
			return guardOfComparison(n)
		}
	}
	return nil
}

// better tells whether guards let fewer people through than others, as far as one can tell: few know of an event, many have a number, and
// time passes for all.
func better(a, b []guard) bool {
	rank := func(list []guard) (worst int) {
		for i := range list {
			switch g := &list[i]; {
			case g.time != nil:
				worst = max(worst, 3)
			case g.window < 0 && g.least <= 0:
				worst = max(worst, 4)
			case g.window < 0:
				worst = max(worst, 2)
			default:
				worst = max(worst, 1)
			}
		}
		return worst
	}
	return rank(a) < rank(b)
}

func guardOfCall(n *ast.CallNode) []guard {
	switch name, numbers := callee(n); {
	case name == "window_at_least" && numbers[1] > 0:
		return []guard{{window: numbers[0], least: float64(numbers[1])}}
	case name == "window_sequence":
		return []guard{{window: numbers[0], least: 1}}
	case name == "idle" && len(n.Arguments) == 2:
		span, ok := n.Arguments[1].(*ast.IntegerNode)
		if _, isField := n.Arguments[0].(*ast.IdentifierNode); ok && isField {
			return []guard{{window: -1, time: n.Arguments[0], least: float64(span.Value)}}
		}
	}
	return nil
}

func guardOfComparison(n *ast.BinaryNode) []guard {
	g := guard{window: -1, value: n.Left}
	switch k := n.Right.(type) {
	case *ast.IntegerNode:
		g.least = float64(k.Value)
	case *ast.FloatNode:
		g.least = k.Value
	default:
		return nil
	}
	if n.Operator == ">" {
		g.least = math.Nextafter(g.least, math.Inf(1))
	}
	if c, ok := n.Left.(*ast.CallNode); ok {
		name, numbers := callee(c)
		if g.least <= 0 || name != "window_sum" && name != "window_count" {
			return nil
		}
		return []guard{{window: numbers[0], isSum: name == "window_sum", least: g.least}}
	}
	if fields.operand(n.Left).asNumber() == nil {
		return nil
	}
	return []guard{g}
}

// rung is a rule on a ladder.
type rung struct {
	least float64
	place uint32
}

// ladder has rules that need the same to be at least something, lowest first.
type ladder struct {
	value    func(e *evaluator) float64
	time     func(e *evaluator) schemas.Time
	question *question // of a window
	isSum    bool
	rungs    []rung
}

func compareRungs(a, b rung) int {
	return cmp.Or(cmp.Compare(a.least, b.least), cmp.Compare(a.place, b.place))
}

func (l *ladder) add(r rung) {
	at, _ := slices.BinarySearchFunc(l.rungs, r, compareRungs)
	l.rungs = slices.Insert(l.rungs, at, r)
}

// height is how far up the ladder the profile at hand is: as of now, but for times, which are as of clock. Rungs are those that are looked
// at. When time alone will bring it to the next of them is noted.
func (l *ladder) height(e *evaluator, rungs []rung, clock schemas.Time) float64 {
	switch {
	case l.time != nil:
		at := l.time(e)
		if at == 0 {
			return math.Inf(-1)
		}
		age := float64(clock - at)
		if n, _ := slices.BinarySearchFunc(rungs, age, func(r rung, age float64) int { return cmp.Compare(r.least, math.Nextafter(age, math.Inf(1))) }); n < len(rungs) {
			e.edge(at + schemas.Time(rungs[n].least))
		}
		return age
	case l.question != nil:
		return e.measure(l.question, l.isSum)
	}
	return l.value(e)
}
