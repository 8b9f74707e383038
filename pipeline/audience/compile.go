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

// compile gives the function of a checked expression that is true or false; nil where there is none.
func compile(node ast.Node) condition {
	switch n := node.(type) {
	case *ast.BoolNode:
		return func(*evaluator) bool { return n.Value }
	case *ast.UnaryNode:
		if n.Operator == "not" || n.Operator == "!" {
			if inner := compile(n.Node); inner != nil {
				return func(e *evaluator) bool { return !inner(e) }
			}
		}
	case *ast.BinaryNode:
		switch n.Operator {
		case "and", "&&", "or", "||":
			return compileLogic(n)
		case "==", "!=", "<", "<=", ">", ">=":
			return compileComparison(n)
		case "in":
			return compileMembership(n)
		}
	case *ast.CallNode:
		return compileCall(n)
	}
	return nil
}

// compileLogic keeps the order: what is on the right is looked at only where the left does not decide.
func compileLogic(n *ast.BinaryNode) condition {
	left, right := compile(n.Left), compile(n.Right)
	if left == nil || right == nil {
		return nil
	}
	if n.Operator == "and" || n.Operator == "&&" {
		return func(e *evaluator) bool { return left(e) && right(e) }
	}
	return func(e *evaluator) bool { return left(e) || right(e) }
}

// compileCall compiles idle and within over a time of the profile.
func compileCall(n *ast.CallNode) condition {
	name, ok := n.Callee.(*ast.IdentifierNode)
	if !ok || len(n.Arguments) != 2 {
		return nil
	}
	at, isField := n.Arguments[0].(*ast.IdentifierNode)
	span, isSpan := n.Arguments[1].(*ast.IntegerNode)
	if !isField || !isSpan {
		return nil
	}
	f, ok := fields[at.Value]
	if !ok || f.kind != reflect.TypeFor[schemas.Time]() {
		return nil
	}
	ago := schemas.Time(span.Value)
	switch name.Value {
	case "idle":
		return func(e *evaluator) bool { return e.idle(*fieldOf[schemas.Time](e, f.offset), ago) }
	case "within":
		return func(e *evaluator) bool { return e.within(*fieldOf[schemas.Time](e, f.offset), ago) }
	}
	return nil
}

// compileComparison compares two numbers or two texts.
func compileComparison(n *ast.BinaryNode) condition {
	a, b := compileOperand(n.Left), compileOperand(n.Right)
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

// compileMembership looks a text up in a list of constants, of which the optimiser of the language makes a set.
func compileMembership(n *ast.BinaryNode) condition {
	a := compileOperand(n.Left)
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

// compileOperand compiles a constant, a field of the profile, or sums, differences and products of them.
func compileOperand(node ast.Node) operand {
	switch n := node.(type) {
	case *ast.IntegerNode:
		return operand{whole: func(*evaluator) int { return n.Value }}
	case *ast.FloatNode:
		return operand{number: func(*evaluator) float64 { return n.Value }}
	case *ast.StringNode:
		return operand{text: func(*evaluator) string { return n.Value }}
	case *ast.IdentifierNode:
		f := fields[n.Value]
		switch f.kind {
		case reflect.TypeFor[int]():
			return operand{whole: func(e *evaluator) int { return *fieldOf[int](e, f.offset) }}
		case reflect.TypeFor[float64]():
			return operand{number: func(e *evaluator) float64 { return *fieldOf[float64](e, f.offset) }}
		case reflect.TypeFor[string]():
			return operand{text: func(e *evaluator) string { return *fieldOf[string](e, f.offset) }}
		}
	case *ast.BinaryNode:
		return compileArithmetic(n)
	}
	return operand{}
}

// compileArithmetic compiles +, -, * and /, the last of which never gives a whole number.
func compileArithmetic(n *ast.BinaryNode) operand {
	a, b := compileOperand(n.Left), compileOperand(n.Right)
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

// fieldAt is where a field of the environment is.
type fieldAt struct {
	offset uintptr
	kind   reflect.Type
}

// fields are those of the environment, by the names that rules use.
var fields = func() map[string]fieldAt {
	all := map[string]fieldAt{}
	t := reflect.TypeFor[environment]()
	for i := range t.NumField() {
		if f := t.Field(i); !f.Anonymous {
			all[f.Tag.Get("expr")] = fieldAt{offset: f.Offset, kind: f.Type}
		}
	}
	return all
}()

// fieldOf gives a field of the evaluator's environment. The offset is that of a field of type T.
func fieldOf[T any](e *evaluator, offset uintptr) *T {
	return (*T)(unsafe.Add(unsafe.Pointer(&e.env), offset))
}
