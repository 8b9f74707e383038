package stitch

import (
	"fmt"
	"maps"
	"slices"

	"github.com/seamline/seamline/schemas"
)

// drawRules draws rules of every kind. Small limits over few values meet often.
func drawRules(c *chooser) *history {
	h := &history{rules: map[string]map[string]any{}}
	all := []string{"user_id", "email", "device_id", "anonymous_id", "card", "loyalty_id", "phone", "crm_id"}
	count := 2 + c.pick(4)
	if c.one(8) {
		return h // the shipped rules
	}
	for range count {
		at := c.pick(len(all))
		h.rules[all[at]] = drawNamespace(c)
		all = slices.Delete(all, at, at+1)
	}
	chosen := slices.Sorted(maps.Keys(h.rules))
	for c.one(2) && len(h.links) < 3 {
		h.links = append(h.links, map[string]any{"of": pickOf(c, chosen...), "to": pickOf(c, chosen...), "limit": 1 + c.pick(2)})
	}
	return h
}

func drawNamespace(c *chooser) map[string]any {
	rule := map[string]any{"class": pickOf(c, "personal", "shared"), "priority": 1 + c.pick(5), "normalise": "trim", "limit": 0, "fanout": 0,
		"within": "", "history": ""}
	if !c.one(4) {
		rule["limit"] = 1 + c.pick(3)
		if c.one(3) {
			rule["within"] = pickOf(c, "30m", "3h", "2d")
		}
	}
	if c.one(3) {
		rule["fanout"] = 1 + c.pick(3)
	}
	if rule["class"] == "shared" && c.one(3) {
		rule["history"] = "moves"
	}
	return rule
}

// namespaces are those that the history's events draw from.
func (h *history) namespaces() []string {
	if len(h.rules) == 0 {
		return []string{"user_id", "email", "device_id", "anonymous_id", "card"}
	}
	return slices.Sorted(maps.Keys(h.rules))
}

// drawEntries draws a log: events in their order, late and early ones, and commands.
func drawEntries(c *chooser, namespaces []string) []storyEntry {
	count := pickOf(c, 5, 10, 20, 40, 60)
	values := 2 + c.pick(4)
	if c.one(50) {
		count, values = 200, 12 // identifiers with many links
	}
	commandEach := pickOf(c, 3, 6, 12, 1000)
	now := storyEpoch + 10*schemas.Hour
	var out []storyEntry
	for i := range count {
		now += schemas.Time(pickOf(c, 0, 1, 1, 2, 5, 20, 31, 90)) * schemas.Minute
		if c.one(30) {
			now += schemas.Time(1+c.pick(100)) * schemas.Day
		}
		at := now
		switch c.pick(8) {
		case 0:
			at -= schemas.Time(c.pick(120)) * schemas.Minute
		case 1:
			if c.one(4) {
				at -= schemas.Time(c.pick(100)) * schemas.Day
			}
		}
		e := storyEntry{at: at, name: fmt.Sprint("e", i+1)}
		if i > 2 && c.one(commandEach) {
			drawCommand(c, &e, out)
		} else {
			e.ids = drawIdentifiers(c, namespaces, values)
		}
		out = append(out, e)
	}
	return out
}

func drawIdentifiers(c *chooser, namespaces []string, values int) (ids []schemas.Identifier) {
	for range 1 + c.pick(3) {
		ids = append(ids, drawIdentifier(pickOf(c, namespaces...), c.pick(values)))
	}
	if !c.one(6) {
		return ids
	}
	return append(ids, pickOf(c,
		schemas.Identifier{Namespace: "kiosk_id", Value: "k-1"},
		schemas.Identifier{Namespace: "anonymous_id", Value: "kiosk-1"},
		schemas.Identifier{Namespace: "order_id", Value: "o-1"},
		schemas.Identifier{Namespace: "message_id", Value: "m-1"},
		schemas.Identifier{Namespace: "ip", Value: "10.0.0.1"},
		schemas.Identifier{Namespace: pickOf(c, namespaces...), Value: "null"}))
}

func drawIdentifier(namespace string, n int) schemas.Identifier {
	switch namespace {
	case schemas.NamespaceEmail:
		return schemas.Identifier{Namespace: namespace, Value: fmt.Sprintf("c-%d@example.com", n+1)}
	case schemas.NamespacePhone:
		return schemas.Identifier{Namespace: namespace, Value: fmt.Sprintf("+1650555010%d", n+1)}
	}
	return schemas.Identifier{Namespace: namespace, Value: fmt.Sprintf("%c-%d", namespace[0], n+1)}
}

// drawCommand draws a command about what the events before had.
func drawCommand(c *chooser, e *storyEntry, before []storyEntry) {
	about := before[c.pick(len(before))]
	if len(about.ids) == 0 {
		return
	}
	e.name, e.command.Kind, e.command.Reason = "", pickOf(c, commandKinds...), "drawn"
	a := pickOf(c, about.ids...)
	e.ids = []schemas.Identifier{a}
	if b := pickOf(c, about.ids...); e.command.Kind == schemas.CommandRetract && a != b {
		e.ids = append(e.ids, b)
		e.command.Forbid = c.one(4)
	}
}
