package stitch

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/seamline/seamline/schemas"
)

// history is a log and the rules to read it by, in the language of docs/identity.md, "Worked examples".
type history struct {
	rules   map[string]map[string]any // what differs from the shipped rule, by namespace
	links   []map[string]any
	kiosks  []string
	entries []storyEntry
}

// storyEntry is one line of a history: an event, a command, or a statement about all that stands above it.
type storyEntry struct {
	name    string // of an event
	at      schemas.Time
	ids     []schemas.Identifier
	command schemas.Command
	says    []string // words of a statement
	line    int
}

// storyEpoch is the day on which histories begin.
const storyEpoch = schemas.Day * 20_000

// readHistory reads the language.
func readHistory(text string) (*history, error) {
	h := &history{rules: map[string]map[string]any{}}
	for n, line := range strings.Split(text, "\n") {
		line, _, _ = strings.Cut(line, " #")
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		if err := h.readLine(n+1, line, words); err != nil {
			return nil, fmt.Errorf("line %d: %q: %w", n+1, line, err)
		}
	}
	return h, nil
}

func (h *history) readLine(n int, line string, words []string) error {
	switch words[0] {
	case "rules":
		_, after, _ := strings.Cut(line, words[0])
		name, body, _ := strings.Cut(strings.TrimSpace(after), " ")
		rule := map[string]any{}
		h.rules[name] = rule
		return yaml.Unmarshal([]byte(body), &rule)
	case "links":
		limit := map[string]any{}
		h.links = append(h.links, limit)
		_, body, _ := strings.Cut(line, words[0])
		return yaml.Unmarshal([]byte(body), &limit)
	case "kiosks":
		h.kiosks = append(h.kiosks, words[1:]...)
		return nil
	}
	e := storyEntry{line: n}
	if !strings.Contains(words[0], ":") && !isDay(words[0]) {
		if !slices.Contains(statements, words[0]) {
			return fmt.Errorf("a statement begins with %s", strings.Join(statements, ", "))
		}
		e.says = words
	} else if err := e.read(words); err != nil {
		return err
	}
	h.entries = append(h.entries, e)
	return nil
}

func isDay(word string) bool {
	_, err := strconv.Atoi(strings.TrimPrefix(word, "d"))
	return strings.HasPrefix(word, "d") && err == nil
}

// read reads an event or a command.
func (e *storyEntry) read(words []string) error {
	e.at = storyEpoch
	if isDay(words[0]) {
		day, _ := strconv.Atoi(words[0][1:])
		e.at += schemas.Time(day) * schemas.Day
		words = words[1:]
	}
	if len(words) < 2 {
		return errors.New("an entry has a time, a name or a command, and identifiers")
	}
	var hour, minute int
	if _, err := fmt.Sscanf(words[0], "%d:%d", &hour, &minute); err != nil {
		return fmt.Errorf("time %q is not hours:minutes", words[0])
	}
	e.at += schemas.Time(hour)*schemas.Hour + schemas.Time(minute)*schemas.Minute
	if kind, ok := schemas.ParseCommand(words[1]); ok {
		e.command = schemas.Command{Kind: kind, Reason: "story"}
	} else {
		e.name = words[1]
	}
	for _, word := range words[2:] {
		if word == "forbid" && e.command.Kind == schemas.CommandRetract {
			e.command.Forbid = true
			continue
		}
		id, err := readIdentifier(word)
		if err != nil {
			return err
		}
		e.ids = append(e.ids, id)
	}
	if n := len(e.ids); e.name == "" && (n < 1 || n > 2 || n == 2 && e.command.Kind != schemas.CommandRetract) {
		return errors.New("a command is about one identifier, or retracts the link of two")
	}
	return nil
}

func readIdentifier(word string) (schemas.Identifier, error) {
	namespace, value, ok := strings.Cut(word, "=")
	if !ok || namespace == "" {
		return schemas.Identifier{}, fmt.Errorf("%q is not namespace=value", word)
	}
	return schemas.Identifier{Namespace: namespace, Value: value}, nil
}

// rulesText gives the rules file that the history's rules are, whole namespaces as a rules file has them.
func (h *history) rulesText() (string, error) {
	var shipped struct {
		Namespaces map[string]map[string]any
		Unknown    map[string]any
	}
	if err := yaml.Unmarshal(defaultRules, &shipped); err != nil {
		return "", err
	}
	file := map[string]any{}
	if len(h.rules) > 0 {
		namespaces := map[string]map[string]any{}
		for name, keys := range h.rules {
			rule := maps.Clone(shipped.Namespaces[name])
			if rule == nil {
				rule = maps.Clone(shipped.Unknown)
			}
			maps.Copy(rule, keys)
			namespaces[name] = rule
		}
		file["namespaces"] = namespaces
	}
	if len(h.links) > 0 {
		file["links"] = h.links
	}
	if len(h.kiosks) > 0 {
		file["kiosks"] = h.kiosks
	}
	if len(file) == 0 {
		return "", nil
	}
	text, err := yaml.Marshal(file)
	return string(text), err
}

// String writes the history in its language, so that it can be read again.
func (h *history) String() string {
	var out strings.Builder
	for _, name := range slices.Sorted(maps.Keys(h.rules)) {
		fmt.Fprintf(&out, "rules %s %s\n", name, flow(h.rules[name]))
	}
	for _, limit := range h.links {
		fmt.Fprintf(&out, "links %s\n", flow(limit))
	}
	if len(h.kiosks) > 0 {
		fmt.Fprintf(&out, "kiosks %s\n", strings.Join(h.kiosks, " "))
	}
	for _, e := range h.entries {
		fmt.Fprintln(&out, e.String())
	}
	return out.String()
}

func flow(m map[string]any) string {
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(m)) {
		if m[key] == "" || m[key] == nil {
			parts = append(parts, key+": ''")
			continue
		}
		parts = append(parts, fmt.Sprintf("%s: %v", key, m[key]))
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

func (e *storyEntry) String() string {
	if e.says != nil {
		return strings.Join(e.says, " ")
	}
	at := e.at - storyEpoch
	day := at / schemas.Day
	at -= day * schemas.Day
	if at < 0 {
		day, at = day-1, at+schemas.Day
	}
	words := []string{fmt.Sprintf("d%d %02d:%02d", day, at/schemas.Hour, at%schemas.Hour/schemas.Minute)}
	if e.command.Kind != schemas.CommandNone {
		words = append(words, e.command.Kind.String())
	} else {
		words = append(words, e.name)
	}
	for _, id := range e.ids {
		words = append(words, id.Namespace+"="+id.Value)
	}
	if e.command.Forbid {
		words = append(words, "forbid")
	}
	return strings.Join(words, " ")
}
