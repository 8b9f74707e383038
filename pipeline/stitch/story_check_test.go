package stitch

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/seamline/seamline/schemas"
)

// statements begin the lines of a story that say what is so.
var statements = []string{"people", "nobody", "holder", "quarantined", "alias", "living", "link", "log"}

// check fails where a statement is not so, in the oracle or in the engine.
func (t *telling) check(words []string) error {
	rest := words[1:]
	switch words[0] {
	case "people":
		return t.checkPeople(rest)
	case "nobody":
		return t.checkNobody(rest)
	case "quarantined":
		return t.checkQuarantined(rest)
	case "log":
		return t.checkLog(rest)
	}
	keys := []string{}
	for _, word := range rest {
		if strings.Contains(word, "=") {
			key, err := t.keyOf(word)
			if err != nil {
				return err
			}
			keys = append(keys, key)
		}
	}
	switch {
	case words[0] == "living" && len(rest) == 1 && len(keys) == 1:
		return t.checkAlias(keys[0], keys[0])
	case words[0] == "alias" && len(rest) == 3 && len(keys) == 2 && rest[1] == "of":
		return t.checkAlias(keys[0], keys[1])
	case words[0] == "holder" && len(rest) == 2 && len(keys) == 2:
		return t.checkHolder(keys[0], keys[1])
	case words[0] == "link" && len(rest) == 3 && len(keys) == 2:
		return t.checkLink(keys[0], keys[1], rest[2])
	}
	return errors.New("the statement has the wrong parts")
}

// keyOf gives the oracle's key of an identifier as a story writes it: the newest that has the value, or the nth with #n.
func (t *telling) keyOf(word string) (string, error) {
	for _, id := range t.o.ids {
		if id.key == word && strings.Contains(word, "#") {
			return word, nil
		}
	}
	word, first := strings.CutSuffix(word, "#1")
	raw, err := readIdentifier(word)
	if err != nil {
		return "", err
	}
	form, _ := t.o.rules.form(raw)
	for i := range t.o.ids {
		if id := t.o.ids[len(t.o.ids)-1-i]; id.Identifier == form.Identifier && (!first || !strings.Contains(id.key, "#")) {
			return id.key, nil
		}
	}
	return "", fmt.Errorf("%s was never seen", word)
}

func (t *telling) indexOf(key string) int {
	return slices.IndexFunc(t.o.ids, func(id *oracleID) bool { return id.key == key })
}

// checkPeople: the events of each group, between slashes, are one person's, and all events are named that are somebody's.
func (t *telling) checkPeople(words []string) error {
	want := map[string]int{}
	group := 1
	for _, word := range words {
		if word == "/" {
			group++
			continue
		}
		if t.o.byName[word] == nil {
			return fmt.Errorf("event %s is unknown", word)
		}
		want[word] = group
	}
	var oracles, engines []string
	for i, ev := range t.o.events {
		oracles = append(oracles, t.o.person(ev))
		if id := t.p.person(&t.p.events[i]); !id.IsZero() {
			engines = append(engines, id.String())
		} else {
			engines = append(engines, "")
		}
	}
	for who, people := range map[string][]string{"oracle": oracles, "engine": engines} {
		for i, a := range t.o.events {
			if (want[a.name] == 0) != (people[i] == "") {
				return fmt.Errorf("%s: event %s belongs to %q", who, a.name, people[i])
			}
			for k, b := range t.o.events {
				if want[a.name] != 0 && want[b.name] != 0 && (want[a.name] == want[b.name]) != (people[i] == people[k]) {
					return fmt.Errorf("%s: people are %q of %s and %q of %s", who, people[i], a.name, people[k], b.name)
				}
			}
		}
	}
	return nil
}

func (t *telling) checkNobody(words []string) error {
	for _, word := range words {
		i := slices.IndexFunc(t.o.events, func(ev *oracleEvent) bool { return ev.name == word })
		if i < 0 {
			return fmt.Errorf("event %s is unknown", word)
		}
		if who := t.o.person(t.o.events[i]); who != "" || !t.p.person(&t.p.events[i]).IsZero() {
			return fmt.Errorf("event %s belongs to %s", word, who)
		}
	}
	return nil
}

// checkQuarantined: these identifiers are quarantined, and no other.
func (t *telling) checkQuarantined(words []string) error {
	want := map[string]bool{}
	for _, word := range words {
		if word == "none" {
			continue
		}
		key, err := t.keyOf(word)
		if err != nil {
			return err
		}
		want[key] = true
	}
	for _, id := range t.o.ids {
		row := t.p.rows[t.n.rows[id.key]]
		if !id.erased && (id.quarantined != want[id.key] || row.Quarantined != want[id.key]) {
			return fmt.Errorf("%s: quarantined is %v for the oracle, %v for the engine", id.key, id.quarantined, row.Quarantined)
		}
	}
	return nil
}

// checkAlias: the profile that the first identifier began is an alias of the one that the second began, or lives if they are one.
func (t *telling) checkAlias(alias, of string) error {
	i := t.indexOf(alias)
	if !t.o.ids[i].founded {
		return fmt.Errorf("%s never had a profile", alias)
	}
	if got := t.o.ids[t.o.group[i]].key; got != of {
		return fmt.Errorf("oracle: the profile of %s is an alias of that of %s", alias, got)
	}
	from, to := t.n.profiles[alias], t.n.profiles[of]
	if from.IsZero() || t.p.resolve(from) != to {
		return fmt.Errorf("engine: the profile %s of %s is an alias of %s, that of %s", from, alias, t.p.resolve(from), t.n.founders[t.p.resolve(from)])
	}
	return nil
}

// checkHolder: an identifier is in the hands of the person that the other one belongs to.
func (t *telling) checkHolder(key, of string) error {
	got, want := t.o.holder(t.indexOf(key)), t.o.group[t.indexOf(of)]
	if got != want {
		return fmt.Errorf("oracle: the holder is the person of %s", t.o.ids[got].key)
	}
	if a, b := t.p.rows[t.n.rows[key]].ProfileID, t.n.profiles[t.o.ids[want].key]; a != b {
		return fmt.Errorf("engine: the holder is %s, want %s", a, b)
	}
	return nil
}

// checkLink: a link is linked, refused, lent or out of force. The engine tells refused and lent apart by the holder only.
func (t *telling) checkLink(a, b, want string) error {
	l := t.o.pairs[pairOf(t.indexOf(a), t.indexOf(b))]
	if l == nil {
		return errors.New("there is no such link")
	}
	if l.decision != want {
		return fmt.Errorf("oracle: the link is %s", l.decision)
	}
	return nil // compareLinks holds it against the engine's newest row
}

// checkLog: the next row of the identity log that no line stated is this one.
func (t *telling) checkLog(words []string) error {
	if t.logged >= len(t.p.decisions) {
		return errors.New("there is no further row")
	}
	d := &t.p.decisions[t.logged]
	t.logged++
	ids := []uint64{0, 0}
	n := 1
	for ; n < len(words) && n < 3 && strings.Contains(words[n], "="); n++ {
		key, err := t.keyOf(words[n])
		if err != nil {
			return err
		}
		ids[n-1] = t.n.rows[key]
	}
	rule := strings.Join(words[n:], " ")
	if d.Kind.String() != words[0] || pairOfRows(d.A, d.B) != pairOfRows(ids[0], ids[1]) || rule != "" && rule != d.Rule {
		return fmt.Errorf("row %d of the identity log is: %s", t.logged, t.row(d))
	}
	return t.checkLogOracle(words[0], ids)
}

// checkLogOracle holds a row against the oracle, which knows what is so now but writes no rows: a later row may have changed it.
func (t *telling) checkLogOracle(kind string, ids []uint64) error {
	for _, d := range t.p.decisions[t.logged:] {
		if ids[0] == d.A || ids[0] == d.B || ids[1] == d.A || ids[1] == d.B && d.B != 0 {
			return nil
		}
	}
	for _, l := range t.o.links {
		if pairOfRows(t.n.rows[t.o.ids[l.head].key], t.n.rows[t.o.ids[l.other].key]) != pairOfRows(ids[0], ids[1]) {
			continue
		}
		want := map[string][]string{schemas.DecisionLinked.String(): {"linked"}, schemas.DecisionMerged.String(): {"linked"},
			schemas.DecisionRefused.String(): {"refused", "lent"}, schemas.DecisionRetracted.String(): {"out"}, schemas.DecisionDemoted.String(): {"linked", "refused", "lent"}}[kind]
		if want != nil && !slices.Contains(want, l.decision) {
			return fmt.Errorf("oracle: the link is %s", l.decision)
		}
	}
	return nil
}
