package stitch

import (
	"fmt"
	"maps"

	"gopkg.in/yaml.v3"

	"github.com/seamline/seamline/schemas"
)

// oracleRules are the rules as the file has them, laid over the shipped ones. Forms and placeholders are the package's own work.
type oracleRules struct {
	Namespaces map[string]*oracleNamespace
	Unknown    *oracleNamespace
	Links      []struct {
		Of, To string
		Limit  int
	}
	text  string
	forms *Rules
	cache map[schemas.Identifier]oracleForm
}

type oracleNamespace struct {
	Class     string
	Priority  int
	Limit     int
	Within    string
	Fanout    int
	History   string
	Normalise string
	Resolves  bool
	within    schemas.Time
}

// oracleForm is an identifier in its one form, with the rule that holds for it.
type oracleForm struct {
	schemas.Identifier
	rule *oracleNamespace
	ok   bool
}

// readOracleRules lays a rules file over the shipped rules.
func readOracleRules(text string) (*oracleRules, error) {
	forms, err := parseRules([]byte(text))
	if err != nil {
		return nil, err
	}
	r := &oracleRules{Namespaces: map[string]*oracleNamespace{}, text: text, forms: forms, cache: map[schemas.Identifier]oracleForm{}}
	for _, layer := range []string{string(defaultRules), text} {
		var next oracleRules
		if err := yaml.Unmarshal([]byte(layer), &next); err != nil {
			return nil, err
		}
		maps.Copy(r.Namespaces, next.Namespaces)
		if next.Unknown != nil {
			r.Unknown = next.Unknown
		}
		if next.Links != nil {
			r.Links = next.Links
		}
	}
	for _, n := range r.Namespaces {
		if n.Within != "" {
			if n.within, err = schemas.ParseSpan(n.Within); err != nil {
				return nil, err
			}
		}
	}
	return r, nil
}

// form brings an identifier into its one form; false where it is a placeholder or has the wrong form.
func (r *oracleRules) form(raw schemas.Identifier) (oracleForm, bool) {
	if f, known := r.cache[raw]; known {
		return f, f.ok
	}
	f := oracleForm{rule: r.Namespaces[raw.Namespace]}
	if f.rule == nil {
		f.rule = r.Unknown
	}
	ns := r.forms.namespace(raw.Namespace)
	n, ok := parseNormaliser(f.rule.Normalise)
	if !ok {
		panic(fmt.Sprintf("normaliser %q", f.rule.Normalise))
	}
	value, ok := normalise(n, raw.Value, r.forms.Region)
	f.Identifier, f.ok = schemas.Identifier{Namespace: raw.Namespace, Value: value}, ok && !r.forms.isBlocked(ns, value)
	if f.ok && r.forms.isKiosk(ns, value) {
		f.rule = r.Namespaces[schemas.NamespaceKioskID]
	}
	r.cache[raw] = f
	return f, f.ok
}
