package audience

import (
	"reflect"
	"unsafe"

	"github.com/expr-lang/expr/ast"

	"github.com/seamline/seamline/schemas"
)

// condition is a rule that was compiled into functions. What it has no functions for is left to the machine of the expression language,
// which gives the same answers at some ten times the cost.
type condition func(e *evaluator) bool

// operand is a part of a rule that gives a value: one of the functions is set.
type operand struct {
	number func(e *evaluator) float64
	whole  func(e *evaluator) int
	text   func(e *evaluator) string
}

// compiler compiles expressions over some fields of the evaluator: those of the profile, or those of an event.
type compiler map[string]fieldAt

// condition gives the function of a checked expression that is true or false; nil where there is none.
func (c compiler) condition(node ast.Node) condition {
	switch n := node.(type) {
	case *ast.BoolNode:
		return func(*evaluator) bool { return n.Value }
	case *ast.IdentifierNode:
		if f := c[n.Value]; f.kind == reflect.TypeFor[bool]() {
			return func(e *evaluator) bool { return *fieldOf[bool](e, f.offset) }
		}
	case *ast.UnaryNode:
		if n.Operator == "not" || n.Operator == "!" {
			if inner := c.condition(n.Node); inner != nil {
				return func(e *evaluator) bool { return !inner(e) }
			}
		}
	case *ast.BinaryNode:
		switch n.Operator {
		case "and", "&&", "or", "||":
			return c.logic(n)
		case "==", "!=", "<", "<=", ">", ">=":
			return c.comparison(n)
		case "in":
			return c.membership(n)
		}
	case *ast.CallNode:
		return c.call(n)
	}
	return nil
}

// logic keeps the order: what is on the right is looked at only where the left does not decide.
func (c compiler) logic(n *ast.BinaryNode) condition {
	left, right := c.condition(n.Left), c.condition(n.Right)
	if left == nil || right == nil {
		return nil
	}
	if n.Operator == "and" || n.Operator == "&&" {
		return func(e *evaluator) bool { return left(e) && right(e) }
	}
	return func(e *evaluator) bool { return left(e) || right(e) }
}

// call compiles idle and within over a time, and the windows that are true or false.
func (c compiler) call(n *ast.CallNode) condition {
	name, numbers := callee(n)
	switch {
	case name == "window_at_least" && len(numbers) == 2:
		return func(e *evaluator) bool { return e.atLeast(numbers[0], numbers[1]) }
	case name == "window_sequence" && len(numbers) == 1:
		return func(e *evaluator) bool { return e.sequence(numbers[0]) }
	case name == "window_member" && len(numbers) == 1:
		return func(e *evaluator) bool { return e.member(numbers[0]) }
	case name != "idle" && name != "within" || len(n.Arguments) != 2:
		return nil
	}
	at := c.time(n.Arguments[0])
	span, isSpan := n.Arguments[1].(*ast.IntegerNode)
	if at == nil || !isSpan {
		return nil
	}
	ago := schemas.Time(span.Value)
	if name == "idle" {
		return func(e *evaluator) bool { return e.idle(at(e), ago) }
	}
	return func(e *evaluator) bool { return e.within(at(e), ago) }
}

// callee gives the name of what is called, and its arguments as far as all of them are whole numbers.
func callee(n *ast.CallNode) (name string, numbers []int) {
	id, ok := n.Callee.(*ast.IdentifierNode)
	if !ok {
		return "", nil
	}
	for _, a := range n.Arguments {
		number, ok := a.(*ast.IntegerNode)
		if !ok {
			return id.Value, nil
		}
		numbers = append(numbers, number.Value)
	}
	return id.Value, numbers
}

// time compiles a field that is a time, and the first and last event of a window.
func (c compiler) time(node ast.Node) func(e *evaluator) schemas.Time {
	switch n := node.(type) {
	case *ast.IdentifierNode:
		if f := c[n.Value]; f.kind == reflect.TypeFor[schemas.Time]() {
			return func(e *evaluator) schemas.Time { return *fieldOf[schemas.Time](e, f.offset) }
		}
	case *ast.CallNode:
		switch name, numbers := callee(n); {
		case name == "window_first" && len(numbers) == 1:
			return func(e *evaluator) schemas.Time { return e.first(numbers[0]) }
		case name == "window_last" && len(numbers) == 1:
			return func(e *evaluator) schemas.Time { return e.last(numbers[0]) }
		}
	}
	return nil
}

// comparison compares two numbers or two texts.
func (c compiler) comparison(n *ast.BinaryNode) condition {
	a, b := c.operand(n.Left), c.operand(n.Right)
	switch {
	case a.text != nil && b.text != nil:
		return compared(n.Operator, a.text, b.text)
	case a.whole != nil && b.whole != nil:
		return compared(n.Operator, a.whole, b.whole)
	}
	x, y := a.asNumber(), b.asNumber()
	if x == nil || y == nil {
		return nil
	}
	return compared(n.Operator, x, y)
}

func compared[T int | float64 | string](operator string, a, b func(*evaluator) T) condition {
	switch operator {
	case "==":
		return func(e *evaluator) bool { return a(e) == b(e) }
	case "!=":
		return func(e *evaluator) bool { return a(e) != b(e) }
	case "<":
		return func(e *evaluator) bool { return a(e) < b(e) }
	case "<=":
		return func(e *evaluator) bool { return a(e) <= b(e) }
	case ">":
		return func(e *evaluator) bool { return a(e) > b(e) }
	}
	return func(e *evaluator) bool { return a(e) >= b(e) }
}

// membership looks a text up in a list of constants, of which the optimiser of the language makes a set.
func (c compiler) membership(n *ast.BinaryNode) condition {
	a := c.operand(n.Left)
	list, ok := n.Right.(*ast.ConstantNode)
	if !ok || a.text == nil {
		return nil
	}
	set, ok := list.Value.(map[string]struct{})
	if !ok {
		return nil
	}
	return func(e *evaluator) bool {
		_, in := set[a.text(e)]
		return in
	}
}

// operand compiles a constant, a field, what a window holds, or sums, differences and products of them.
func (c compiler) operand(node ast.Node) operand {
	switch n := node.(type) {
	case *ast.IntegerNode:
		return operand{whole: func(*evaluator) int { return n.Value }}
	case *ast.FloatNode:
		return operand{number: func(*evaluator) float64 { return n.Value }}
	case *ast.StringNode:
		return operand{text: func(*evaluator) string { return n.Value }}
	case *ast.IdentifierNode:
		f := c[n.Value]
		switch f.kind {
		case reflect.TypeFor[int]():
			return operand{whole: func(e *evaluator) int { return *fieldOf[int](e, f.offset) }}
		case reflect.TypeFor[float64]():
			return operand{number: func(e *evaluator) float64 { return *fieldOf[float64](e, f.offset) }}
		case reflect.TypeFor[string]():
			return operand{text: func(e *evaluator) string { return *fieldOf[string](e, f.offset) }}
		}
	case *ast.CallNode:
		switch name, numbers := callee(n); {
		case name == "window_count" && len(numbers) == 1:
			return operand{whole: func(e *evaluator) int { return e.count(numbers[0]) }}
		case name == "window_sum" && len(numbers) == 1:
			return operand{number: func(e *evaluator) float64 { return e.sum(numbers[0]) }}
		}
	case *ast.BinaryNode:
		return c.arithmetic(n)
	}
	return operand{}
}

// arithmetic compiles +, -, * and /, the last of which never gives a whole number.
func (c compiler) arithmetic(n *ast.BinaryNode) operand {
	a, b := c.operand(n.Left), c.operand(n.Right)
	if a.whole != nil && b.whole != nil && n.Operator != "/" {
		return operand{whole: combined(n.Operator, a.whole, b.whole)}
	}
	x, y := a.asNumber(), b.asNumber()
	if x == nil || y == nil {
		return operand{}
	}
	if n.Operator == "/" {
		return operand{number: func(e *evaluator) float64 { return x(e) / y(e) }}
	}
	return operand{number: combined(n.Operator, x, y)}
}

func combined[T int | float64](operator string, a, b func(*evaluator) T) func(*evaluator) T {
	switch operator {
	case "+":
		return func(e *evaluator) T { return a(e) + b(e) }
	case "-":
		return func(e *evaluator) T { return a(e) - b(e) }
	case "*":
		return func(e *evaluator) T { return a(e) * b(e) }
	}
	return nil
}

// asNumber gives a number of either kind as the language compares and adds numbers of different kinds.
func (o operand) asNumber() func(e *evaluator) float64 {
	if whole := o.whole; whole != nil {
		return func(e *evaluator) float64 { return float64(whole(e)) }
	}
	return o.number
}

// fieldAt is where a field is within the evaluator.
type fieldAt struct {
	offset uintptr
	kind   reflect.Type
}

// fields are those of the profile, by the names that rules use, and eventFields those of an event, by the names that filters use.
var (
	fields      = fieldsOf[environment](unsafe.Offsetof(evaluator{}.env))
	eventFields = fieldsOf[eventEnvironment](unsafe.Offsetof(evaluator{}.event))
)

func fieldsOf[T any](offset uintptr) compiler {
	all := compiler{}
	t := reflect.TypeFor[T]()
	for i := range t.NumField() {
		if f := t.Field(i); !f.Anonymous {
			all[f.Tag.Get("expr")] = fieldAt{offset: offset + f.Offset, kind: f.Type}
		}
	}
	return all
}

// fieldOf gives a field of the evaluator. The offset is that of a field of type T.
func fieldOf[T any](e *evaluator, offset uintptr) *T {
	return (*T)(unsafe.Add(unsafe.Pointer(e), offset))
}
