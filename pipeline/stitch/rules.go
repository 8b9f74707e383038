package stitch

import (
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/seamline/seamline/schemas"
)

//go:embed rules.yaml
var defaultRules []byte

// Namespace is the rule of one identifier namespace.
type Namespace struct {
	Name     string
	Class    schemas.Class
	Priority int          // 1 is the highest
	Limit    int          // most values on one profile; 0 for no limit
	Within   schemas.Time // the limit counts values seen within this span; 0 for ever
	Fanout   int          // distinct people after which an identifier is suspect; 0 for never
	// HistoryMoves says of a shared identifier that all of its history follows who has it now.
	HistoryMoves bool
	Normalise    Normaliser
	Resolves     bool // evidence only: an event with nothing better belongs to whom this was first seen with
	blocked      []*regexp.Regexp
}

// links tells whether the namespace's identifiers may link at all.
func (n *Namespace) links() bool {
	return n.Class == schemas.ClassPersonal || n.Class == schemas.ClassShared
}

// LinkLimit bounds with how many values of one namespace a value of another may be linked.
type LinkLimit struct {
	Of, To string
	Limit  int
}

// Rules say which identifiers link and how far.
type Rules struct {
	Region     string // default region of phone numbers, ISO 3166 alpha-2
	byName     map[string]*Namespace
	unknown    Namespace
	values     map[string]bool // blocked in every namespace
	blocked    []*regexp.Regexp
	kiosks     []*regexp.Regexp
	links      []LinkLimit
	limits     bool     // there are any
	named      []string // namespaces with a rule of their own, sorted
	kiosk      *Namespace
	kioskScope []string
}

// lined is a text with the line that it stands in, so that errors can name it.
type lined struct {
	text string
	line int
}

// UnmarshalYAML notes the line.
func (l *lined) UnmarshalYAML(node *yaml.Node) error {
	l.line = node.Line
	return node.Decode(&l.text)
}

type rulesFile struct {
	Region     lined                    `yaml:"region"`
	Namespaces map[string]namespaceFile `yaml:"namespaces"`
	Unknown    *namespaceFile           `yaml:"unknown"`
	Blocked    *blockedFile             `yaml:"blocked"`
	Kiosks     []lined                  `yaml:"kiosks"`
	Links      []linkFile               `yaml:"links"`
}

type linkFile struct {
	Of    string `yaml:"of"`
	To    string `yaml:"to"`
	Limit int    `yaml:"limit"`
	line  int
}

// UnmarshalYAML notes the line, and refuses unknown keys.
func (l *linkFile) UnmarshalYAML(node *yaml.Node) error {
	type plain linkFile
	if err := strictDecode(node, (*plain)(l), "of", "to", "limit"); err != nil {
		return err
	}
	l.line = node.Line
	return nil
}

type namespaceFile struct {
	Class     string       `yaml:"class"`
	Priority  int          `yaml:"priority"`
	Limit     int          `yaml:"limit"`
	Within    string       `yaml:"within"`
	Fanout    int          `yaml:"fanout"`
	Normalise string       `yaml:"normalise"`
	Resolves  bool         `yaml:"resolves"`
	History   string       `yaml:"history"`
	Blocked   *blockedFile `yaml:"blocked"`
	line      int
}

// UnmarshalYAML notes the line, so that errors can name it, and refuses unknown keys.
func (n *namespaceFile) UnmarshalYAML(node *yaml.Node) error {
	type plain namespaceFile
	if err := strictDecode(node, (*plain)(n), "class", "priority", "limit", "within", "fanout", "normalise", "resolves", "history", "blocked"); err != nil {
		return err
	}
	n.line = node.Line
	return nil
}

type blockedFile struct {
	Values   []lined `yaml:"values"`
	Patterns []lined `yaml:"patterns"`
}

// UnmarshalYAML refuses unknown keys.
func (b *blockedFile) UnmarshalYAML(node *yaml.Node) error {
	type plain blockedFile
	return strictDecode(node, (*plain)(b), "values", "patterns")
}

func strictDecode(node *yaml.Node, into any, keys ...string) error {
	if node.Kind == yaml.MappingNode {
		for i := 0; i < len(node.Content); i += 2 {
			if k := node.Content[i]; !slices.Contains(keys, k.Value) {
				return fmt.Errorf("line %d: unknown key %q; known are %s", k.Line, k.Value, strings.Join(keys, ", "))
			}
		}
	}
	return node.Decode(into)
}

// DefaultRules are the rules that ship with Seamline.
func DefaultRules() *Rules {
	r, err := parseRules(nil)
	if err != nil {
		panic("stitch: shipped rules: " + err.Error()) // a test reads them
	}
	return r
}

// ReadRules reads a rules file. It replaces the shipped rules namespace by namespace; an empty path gives the shipped rules.
func ReadRules(path string) (*Rules, error) {
	if path == "" {
		return DefaultRules(), nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("identity.rules: %w", err)
	}
	r, err := parseRules(text)
	if err != nil {
		return nil, fmt.Errorf("identity.rules: %s: %w", path, err)
	}
	return r, nil
}

// parseRules lays text over the shipped rules.
func parseRules(text []byte) (*Rules, error) {
	r := &Rules{byName: map[string]*Namespace{}, values: map[string]bool{}, kioskScope: []string{schemas.NamespaceAnonymousID, schemas.NamespaceDeviceID}}
	for _, layer := range [][]byte{defaultRules, text} {
		if len(layer) == 0 {
			continue
		}
		var node yaml.Node
		if err := yaml.Unmarshal(layer, &node); err != nil {
			return nil, err
		}
		if len(node.Content) == 0 {
			continue
		}
		var f rulesFile
		if err := strictDecode(node.Content[0], &f, "region", "namespaces", "unknown", "blocked", "kiosks", "links"); err != nil {
			return nil, err
		}
		if err := r.overlay(&f); err != nil {
			return nil, err
		}
	}
	r.named = slices.Sorted(maps.Keys(r.byName))
	r.limits = r.unknown.Limit > 0
	for _, ns := range r.byName {
		r.limits = r.limits || ns.Limit > 0
	}
	r.kiosk = r.byName[schemas.NamespaceKioskID]
	if r.kiosk == nil || r.kiosk.Class != schemas.ClassKiosk {
		return nil, fmt.Errorf("namespace %s must have class kiosk", schemas.NamespaceKioskID)
	}
	return r, nil
}

func (r *Rules) overlay(f *rulesFile) error {
	if region := f.Region; region.line != 0 {
		if len(region.text) != 2 {
			return fmt.Errorf("line %d: region %q is not a two-letter country code", region.line, region.text)
		}
		r.Region = strings.ToUpper(region.text)
	}
	for _, name := range slices.Sorted(maps.Keys(f.Namespaces)) {
		file := f.Namespaces[name]
		ns, err := file.rule(name)
		if err != nil {
			return fmt.Errorf("line %d: namespace %s: %w", file.line, name, err)
		}
		r.byName[name] = ns
	}
	if f.Unknown != nil {
		ns, err := f.Unknown.rule("")
		if err != nil {
			return fmt.Errorf("line %d: unknown: %w", f.Unknown.line, err)
		}
		r.unknown = *ns
	}
	if f.Blocked != nil {
		for _, v := range f.Blocked.Values {
			r.values[strings.ToLower(strings.TrimSpace(v.text))] = true
		}
		patterns, err := compile(f.Blocked.Patterns)
		if err != nil {
			return fmt.Errorf("blocked: %w", err)
		}
		r.blocked = append(r.blocked, patterns...)
	}
	if f.Links != nil {
		r.links = nil
	}
	for _, l := range f.Links {
		if l.Of == "" || l.To == "" || l.Limit < 1 {
			return fmt.Errorf("line %d: links: of and to must name namespaces, and limit must be at least 1", l.line)
		}
		r.links = append(r.links, LinkLimit{Of: l.Of, To: l.To, Limit: l.Limit})
	}
	if f.Kiosks != nil {
		kiosks, err := compile(f.Kiosks)
		if err != nil {
			return fmt.Errorf("kiosks: %w", err)
		}
		r.kiosks = kiosks
	}
	return nil
}

func (f *namespaceFile) rule(name string) (*Namespace, error) {
	ns := &Namespace{Name: name, Priority: f.Priority, Limit: f.Limit, Fanout: f.Fanout, Resolves: f.Resolves}
	var ok bool
	if ns.Class, ok = schemas.ParseClass(f.Class); !ok {
		return nil, fmt.Errorf("class %q is not personal, shared, kiosk or evidence", f.Class)
	}
	if f.Priority < 1 || f.Priority > 99 {
		return nil, errors.New("priority must be between 1 and 99")
	}
	if f.Limit < 0 || f.Fanout < 0 {
		return nil, errors.New("limit and fanout must not be negative")
	}
	switch {
	case f.History != "" && f.History != "stays" && f.History != "moves":
		return nil, fmt.Errorf("history %q is not stays or moves", f.History)
	case f.History != "" && ns.Class != schemas.ClassShared:
		return nil, errors.New("history is for class shared: only shared identifiers change hands")
	case !ns.links() && (f.Limit != 0 || f.Fanout != 0):
		return nil, fmt.Errorf("limit and fanout are for classes personal and shared: class %s never links", ns.Class)
	case f.Within != "" && f.Limit == 0:
		return nil, errors.New("within needs a limit")
	case f.Resolves && ns.Class != schemas.ClassEvidence:
		return nil, errors.New("resolves is for class evidence")
	}
	ns.HistoryMoves = f.History == "moves"
	if f.Within != "" {
		span, err := schemas.ParseSpan(f.Within)
		if err != nil {
			return nil, fmt.Errorf("within: %w", err)
		}
		ns.Within = span
	}
	if ns.Normalise, ok = parseNormaliser(f.Normalise); !ok {
		return nil, fmt.Errorf("normalise %q is unknown; use %s", f.Normalise, strings.Join(normaliserNames(), ", "))
	}
	if f.Blocked != nil {
		patterns := slices.Clone(f.Blocked.Patterns)
		for _, v := range f.Blocked.Values {
			patterns = append(patterns, lined{regexp.QuoteMeta(v.text), v.line})
		}
		var err error
		if ns.blocked, err = compile(patterns); err != nil {
			return nil, fmt.Errorf("blocked: %w", err)
		}
	}
	return ns, nil
}

// compile makes patterns that match whole values, whatever their case.
func compile(patterns []lined) ([]*regexp.Regexp, error) {
	out := make([]*regexp.Regexp, 0, len(patterns))
	for _, p := range patterns {
		re, err := regexp.Compile(`(?i)^(?:` + p.text + `)$`)
		if err != nil {
			return nil, fmt.Errorf("line %d: pattern %q: %w", p.line, p.text, err)
		}
		out = append(out, re)
	}
	return out, nil
}

// names lists the namespaces that have a rule of their own.
func (r *Rules) names() []string { return r.named }

// look gives what holds for a namespace, without its name where it is unknown. Goroutines may call it.
func (r *Rules) look(name string) *Namespace {
	if ns := r.byName[name]; ns != nil {
		return ns
	}
	return &r.unknown
}

// namespace gives the rule of a namespace; unknown ones share a documented default.
func (r *Rules) namespace(name string) *Namespace {
	if ns := r.byName[name]; ns != nil {
		return ns
	}
	ns := r.unknown
	ns.Name = name
	if len(r.byName) < 2*namespacesMax { // names that nobody keeps must not fill the memory
		ns.Name = strings.Clone(name)
		r.byName[ns.Name] = &ns
	}
	return &ns
}

// isBlocked tells whether a normalised value is a placeholder that names nobody.
func (r *Rules) isBlocked(ns *Namespace, value string) bool {
	if r.values[strings.ToLower(value)] || sameDigits(value) {
		return true
	}
	return matches(r.blocked, value) || matches(ns.blocked, value)
}

// isKiosk tells whether a value is a device that strangers use in turn.
func (r *Rules) isKiosk(ns *Namespace, value string) bool {
	return ns.Class == schemas.ClassKiosk || slices.Contains(r.kioskScope, ns.Name) && matches(r.kiosks, value)
}

func matches(patterns []*regexp.Regexp, value string) bool {
	for _, p := range patterns {
		if p.MatchString(value) {
			return true
		}
	}
	return false
}

// sameDigits tells whether a value has at least four digits and all of its letters and digits are the same one, as in
// 0000-0000 or +9999999.
func sameDigits(value string) bool {
	digits, first := 0, byte(0)
	for i := 0; i < len(value); i++ {
		c := value[i]
		switch {
		case c >= '0' && c <= '9':
			if digits > 0 && c != first {
				return false
			}
			first = c
			digits++
		case c == '-' || c == '+' || c == ' ' || c == '.' || c == '_':
		default:
			return false
		}
	}
	return digits >= 4
}
