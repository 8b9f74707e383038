package audience

import (
	_ "embed"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/vm"
	"gopkg.in/yaml.v3"

	"github.com/seamline/seamline/schemas"
)

//go:embed audiences.yaml
var shipped []byte

// Rule is one audience: a name and the condition under which a profile belongs to it.
type Rule struct {
	Name        string
	Description string
	When        string
	program     *vm.Program
	condition   condition // of the program; nil where only the machine can run it
	reads       schemas.Fields
}

// audiencesMax bounds the number of audiences.
const audiencesMax = 10_000

var namePattern = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)

// ReadRules reads a file of audiences; an empty path gives the shipped ones. Errors name the file and the line.
func ReadRules(path string) ([]Rule, error) {
	text, name := shipped, "shipped audiences"
	if path != "" {
		var err error
		if text, err = os.ReadFile(path); err != nil {
			return nil, fmt.Errorf("audiences.rules: %w", err)
		}
		name = path
	}
	rules, err := parseRules(text)
	if err != nil {
		return nil, fmt.Errorf("audiences.rules: %s: %w", name, err)
	}
	return rules, nil
}

type ruleFile struct {
	Name        string `yaml:"name"`
	Description string `yaml:"description"`
	When        string `yaml:"when"`
}

func parseRules(text []byte) ([]Rule, error) {
	var file struct {
		Audiences []yaml.Node `yaml:"audiences"`
	}
	decoder := yaml.NewDecoder(strings.NewReader(string(text)))
	decoder.KnownFields(true)
	if err := decoder.Decode(&file); err != nil {
		return nil, err
	}
	if len(file.Audiences) > audiencesMax {
		return nil, fmt.Errorf("%d audiences, the limit is %d", len(file.Audiences), audiencesMax)
	}
	rules := make([]Rule, 0, len(file.Audiences))
	for i := range file.Audiences {
		node := &file.Audiences[i]
		rule, err := parseRule(node)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", node.Line, err)
		}
		if slices.ContainsFunc(rules, func(r Rule) bool { return r.Name == rule.Name }) {
			return nil, fmt.Errorf("line %d: audience %s is defined twice", node.Line, rule.Name)
		}
		rules = append(rules, rule)
	}
	return rules, nil
}

func parseRule(node *yaml.Node) (Rule, error) {
	var f ruleFile
	for i := 0; i+1 < len(node.Content); i += 2 {
		if k := node.Content[i]; !slices.Contains([]string{"name", "description", "when"}, k.Value) {
			return Rule{}, fmt.Errorf("unknown key %q; known are name, description, when", k.Value)
		}
	}
	if err := node.Decode(&f); err != nil {
		return Rule{}, err
	}
	if !namePattern.MatchString(f.Name) {
		return Rule{}, fmt.Errorf("name %q must be lower-case letters, digits and underscores, at most 64", f.Name)
	}
	if strings.TrimSpace(f.When) == "" {
		return Rule{}, fmt.Errorf("audience %s: when is empty", f.Name)
	}
	r := Rule{Name: f.Name, Description: f.Description, When: f.When}
	spans, consents := &spanPatcher{}, &consentPatcher{}
	program, err := expr.Compile(f.When, expr.Env(&environment{}), expr.AsBool(), expr.Patch(spans), expr.Patch(consents), expr.DisableAllBuiltins(), expr.EnableBuiltin("any"), expr.EnableBuiltin("all"),
		expr.EnableBuiltin("len"), expr.EnableBuiltin("none"), expr.EnableBuiltin("count"))
	if spans.err != nil {
		err = spans.err // says more than the type error that follows from it
	}
	if consents.err != nil {
		err = consents.err
	}
	if err != nil {
		return Rule{}, fmt.Errorf("audience %s: when: %w%s", f.Name, err, suggestion(err))
	}
	r.program, r.condition, r.reads = program, compile(program.Node()), readsOf(program.Node())
	return r, nil
}

var unknownName = regexp.MustCompile(`unknown name (\w+)`)

// suggestion names the field that was probably meant.
func suggestion(err error) string {
	found := unknownName.FindStringSubmatch(err.Error())
	if found == nil {
		return ""
	}
	best, distance := "", 1+len(found[1])/2
	for _, name := range fieldNames() {
		if d := editDistance(found[1], name); d < distance {
			best, distance = name, d
		}
	}
	if best == "" {
		return ""
	}
	return "; did you mean " + best + "?"
}

// editDistance is the number of letters to add, drop or change between two words.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := diagonal
			if a[i-1] != b[j-1] {
				cost++
			}
			diagonal = row[j]
			row[j] = min(cost, row[j]+1, row[j-1]+1)
		}
	}
	return row[len(b)]
}

// spanPatcher turns the spans in idle(time, "1h") and within(time, "30d") into numbers when a rule is compiled.
type spanPatcher struct{ err error }

// Visit implements ast.Visitor.
func (p *spanPatcher) Visit(node *ast.Node) {
	call, ok := (*node).(*ast.CallNode)
	if !ok || len(call.Arguments) != 2 {
		return
	}
	name, ok := call.Callee.(*ast.IdentifierNode)
	if !ok || name.Value != "idle" && name.Value != "within" {
		return
	}
	text, ok := call.Arguments[1].(*ast.StringNode)
	if !ok {
		if _, done := call.Arguments[1].(*ast.IntegerNode); !done {
			p.err = fmt.Errorf("%s needs a span such as \"36h\" or \"30d\"", name.Value)
		}
		return
	}
	span, err := schemas.ParseSpan(text.Value)
	if err != nil {
		p.err = fmt.Errorf("%s: %w", name.Value, err)
		return
	}
	ast.Patch(&call.Arguments[1], &ast.IntegerNode{Value: int(span)})
}
