package audience

import (
	"cmp"
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/vm"
	"gopkg.in/yaml.v3"

	"github.com/seamline/seamline/schemas"
)

//go:embed audiences.yaml
var shipped []byte

// Rule is one audience: a name, the condition under which a profile belongs to it, and what else decides.
type Rule struct {
	Name        string
	Description string
	When        string
	Exclude     []string     // audiences whose members do not belong
	Group       string       // of several audiences of a group a profile belongs to the one with the highest priority
	Priority    int          // within the group, higher first; of equal ones the one that stands first in the file
	Holdout     float64      // share of people who are kept out, to compare with: 0 to below 1
	Salt        string       // who is held out depends on it; by default the name
	Cap         int          // most members; 0 for any number. Who comes when it is full waits until looked at with room
	MinSize     int          // smaller audiences are not exported
	MaxAge      schemas.Time // longest stay; 0 for no end. Who stayed so long comes back when the condition has been false in between

	HoldoutOf string // the audience whose held-out people this one has; empty for all others

	line      int
	excluded  []string // audiences whose members do not belong: Exclude, and those of the group that go before
	program   *vm.Program
	condition condition // of the program; nil where only the machine can run it
	reads     schemas.Fields
	windows   []window
	others    []string // audiences that the condition asks about
	guards    []guard  // of which one must hold, or the condition is false; nil where it may be true without
}

// definition has all that decides who is a member, in one text.
func (r *Rule) definition() string {
	return fmt.Sprintf("%s\x00%q %s %d %g %s %d %d %s", r.When, r.Exclude, r.Group, r.Priority, r.Holdout, r.Salt, r.Cap, r.MaxAge, r.HoldoutOf)
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
	Name        string   `yaml:"name"`
	Description string   `yaml:"description"`
	When        string   `yaml:"when"`
	Exclude     []string `yaml:"exclude"`
	Group       string   `yaml:"group"`
	Priority    int      `yaml:"priority"`
	Holdout     string   `yaml:"holdout"`
	Salt        string   `yaml:"salt"`
	Cap         int      `yaml:"cap"`
	MinSize     int      `yaml:"min_size"`
	MaxAge      string   `yaml:"max_age"`
}

// ruleKeys are the keys that an audience may have.
var ruleKeys = []string{"name", "description", "when", "exclude", "group", "priority", "holdout", "salt", "cap", "min_size", "max_age"}

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
	rules, names := make([]Rule, 0, len(file.Audiences)), map[string]bool{}
	for i := range file.Audiences {
		node := &file.Audiences[i]
		rule, err := parseRule(node)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", node.Line, err)
		}
		if names[rule.Name] {
			return nil, fmt.Errorf("line %d: audience %s is defined twice", node.Line, rule.Name)
		}
		names[rule.Name], rule.line = true, node.Line
		rules = append(rules, rule)
		if rule.Holdout > 0 { // who is held out can be compared with who is not
			rule.Name, rule.HoldoutOf, rule.Cap, rule.MaxAge, rule.Group = rule.Name+"_holdout", rule.Name, 0, 0, ""
			names[rule.Name] = true
			rules = append(rules, rule)
		}
	}
	return order(rules)
}

func parseRule(node *yaml.Node) (Rule, error) {
	var f ruleFile
	for i := 0; i+1 < len(node.Content); i += 2 {
		if k := node.Content[i]; !slices.Contains(ruleKeys, k.Value) {
			return Rule{}, fmt.Errorf("unknown key %q%s; known are %s", k.Value, nearest(k.Value, ruleKeys), strings.Join(ruleKeys, ", "))
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
	r := Rule{Name: f.Name, Description: f.Description, When: f.When, Exclude: f.Exclude, Group: f.Group, Priority: f.Priority, Salt: cmp.Or(f.Salt, f.Name),
		Cap: f.Cap, MinSize: f.MinSize}
	if err := r.options(&f); err != nil {
		return Rule{}, fmt.Errorf("audience %s: %w", f.Name, err)
	}
	if err := r.compile(); err != nil {
		return Rule{}, fmt.Errorf("audience %s: when: %w", f.Name, err)
	}
	return r, nil
}

// options checks what else decides, and reads the parts of it that are texts.
func (r *Rule) options(f *ruleFile) (err error) {
	if f.Cap < 0 || f.MinSize < 0 {
		return errors.New("cap and min_size cannot be negative")
	}
	if f.Priority != 0 && f.Group == "" {
		return errors.New("priority says something within a group only, and group is empty")
	}
	if f.MaxAge != "" {
		if r.MaxAge, err = schemas.ParseSpan(f.MaxAge); err != nil {
			return fmt.Errorf("max_age: %w", err)
		}
	}
	if f.Holdout == "" {
		return nil
	}
	text, isPercent := strings.CutSuffix(f.Holdout, "%")
	if r.Holdout, err = strconv.ParseFloat(strings.TrimSpace(text), 64); err == nil && isPercent {
		r.Holdout /= 100
	}
	if err != nil || !(r.Holdout >= 0 && r.Holdout < 1) {
		return fmt.Errorf("holdout %q is no share such as 10%% or 0.1", f.Holdout)
	}
	return nil
}

// languageOptions are those of the expression language in conditions and in filters.
func languageOptions() []expr.Option {
	options := []expr.Option{expr.DisableAllBuiltins()}
	for _, name := range []string{"any", "all", "len", "none"} {
		options = append(options, expr.EnableBuiltin(name))
	}
	return options
}

// compile makes the rule's condition of its text.
func (r *Rule) compile() error {
	text, from := quoteSpans(r.When)
	p, consents := &patcher{}, &consentPatcher{}
	options := append(languageOptions(), expr.Env(&environment{}), expr.AsBool(), expr.Patch(p), expr.Patch(consents))
	for _, name := range []string{"count", "sum"} { // else the parser takes them for its own
		options = append(options, expr.Function(name, func(...any) (any, error) { return nil, errors.New("not compiled") }))
	}
	program, err := expr.Compile(text, options...)
	if err := cmp.Or(p.err, consents.err); err != nil {
		return err // says more than the type error that follows from it
	}
	if err != nil {
		return located(err, r.When, from)
	}
	r.program, r.condition, r.reads = program, fields.condition(program.Node()), readsOf(program.Node())
	r.windows, r.others, r.guards = p.windows, p.others, guards(program.Node())
	return nil
}

// located says where in the text of a rule an error is, and what was probably meant.
func located(err error, when string, from []int) error {
	var e *file.Error
	if !errors.As(err, &e) {
		return err
	}
	at := len(when)
	if e.From < len(from) {
		at = from[e.From]
	}
	line := 1 + strings.Count(when[:at], "\n")
	column := at - strings.LastIndexByte(when[:at], '\n')
	return fmt.Errorf("%s (line %d, column %d of %q)%s", e.Message, line, column, when, suggestion(err, fields))
}

// order checks which audiences the rules name, and puts each rule behind those that it depends on, else in the order of the file.
func order(rules []Rule) ([]Rule, error) {
	at := map[string]int{}
	names := make([]string, len(rules))
	for i := range rules {
		at[rules[i].Name], names[i] = i, rules[i].Name
	}
	const visiting, done = 1, 2
	states, sorted := make([]int, len(rules)), make([]Rule, 0, len(rules))
	var visit func(i int, path []string) error
	visit = func(i int, path []string) error {
		r := &rules[i]
		path = append(path, r.Name)
		if states[i] == visiting {
			return fmt.Errorf("line %d: audience %s depends on itself: %s", r.line, r.Name, strings.Join(path[slices.Index(path, r.Name):], " needs "))
		}
		if states[i] == done {
			return nil
		}
		states[i] = visiting
		r.excluded = exclusions(rules, i)
		for _, name := range append(slices.Clone(r.others), r.excluded...) {
			other, ok := at[name]
			if !ok {
				return fmt.Errorf("line %d: audience %s: there is no audience %q%s", r.line, r.Name, name, nearest(name, names))
			}
			if err := visit(other, path); err != nil {
				return err
			}
		}
		states[i] = done
		sorted = append(sorted, *r)
		return nil
	}
	for i := range rules {
		if err := visit(i, nil); err != nil {
			return nil, err
		}
	}
	return sorted, nil
}

// exclusions are the audiences whose members do not belong to the rule at i: those that it names, and those of its group that go before.
func exclusions(rules []Rule, i int) []string {
	r := &rules[i]
	list := slices.Clone(r.Exclude)
	if r.Group == "" {
		return list
	}
	for j := range rules {
		o := &rules[j]
		if o.Group == r.Group && (o.Priority > r.Priority || o.Priority == r.Priority && j < i) {
			list = append(list, o.Name)
		}
	}
	return list
}

var unknownName = regexp.MustCompile(`unknown name (\w+)`)

// suggestion names the field that was probably meant.
func suggestion(err error, known compiler) string {
	found := unknownName.FindStringSubmatch(err.Error())
	if found == nil {
		return ""
	}
	names := slices.Collect(maps.Keys(known))
	if _, isRule := known["stage"]; isRule {
		names = append(names, "idle", "within", "count", "did", "sum", "first", "last", "sequence", "member")
	}
	return nearest(found[1], names)
}

// nearest says which of some names was probably meant; nothing where none is near.
func nearest(name string, names []string) string {
	best, distance := "", 1+len(name)/2
	for _, known := range slices.Sorted(slices.Values(names)) {
		if d := editDistance(name, known); d < distance && known != "" {
			best, distance = known, d
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
