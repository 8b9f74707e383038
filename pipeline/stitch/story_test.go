package stitch

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seamline/seamline/schemas"
)

// storiesMin is how many examples the document has at least.
const storiesMin = 25

// TestWorkedExamples plays every story of docs/identity.md through the oracle and the engine: whatever a story states must be so in
// both, and they must agree after each entry.
func TestWorkedExamples(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/identity.md")
	if err != nil {
		t.Fatal(err)
	}
	stories := storiesOf(string(text))
	if len(stories) < storiesMin {
		t.Fatalf("docs/identity.md has %d stories, want at least %d", len(stories), storiesMin)
	}
	for _, s := range stories {
		t.Run(s.title, func(t *testing.T) {
			t.Parallel()
			if !slices.ContainsFunc(strings.Split(s.text, "\n"), isStatement) {
				t.Error("the story states nothing")
			}
			if err := tellStory(s.text); err != nil {
				t.Errorf("docs/identity.md, story that begins at line %d: %v", s.line, err)
			}
		})
	}
}

// TestHistories plays the histories that once showed a mistake.
func TestHistories(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/histories/*.story")
	if err != nil || len(files) == 0 {
		t.Fatalf("no histories: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if err := tellStory(string(text)); err != nil {
				t.Errorf("%s: %v", file, err)
			}
		})
	}
}

// TestFalseStoriesFail: what is not so does not pass.
func TestFalseStoriesFail(t *testing.T) {
	t.Parallel()
	const told = "10:00 e1 anonymous_id=c-1\n10:01 e2 anonymous_id=c-1 user_id=u-1\n10:02 e3 user_id=u-2 anonymous_id=c-1\n10:03 e4 ip=10.0.0.1\n"
	f := func(statement, want string) {
		t.Helper()
		if err := tellStory(told + statement); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want one with %q", statement, err, want)
		}
	}
	f("people e1 e2 e3", "people are")
	f("people e1 e2", "e3")
	f("people e1 e2 / e3 e4", "e4")
	f("nobody e1", "e1")
	f("holder anonymous_id=c-1 user_id=u-1", "holder")
	f("quarantined user_id=u-1", "quarantined")
	f("alias user_id=u-1 of anonymous_id=c-1", "never had a profile")
	f("alias user_id=u-2 of anonymous_id=c-1", "alias")
	f("link user_id=u-1 anonymous_id=c-1 refused", "linked")
	f("link user_id=u-2 anonymous_id=c-1 linked", "lent")
	f("log linked user_id=u-1 anonymous_id=c-1", "not stated")
	f("log refused user_id=u-1 anonymous_id=c-1", "row 1")
	f("peple e1", "statement begins with")
	f("10:09 e4 user_id=u-1", "twice")
	f("rules email {limit: [}", "yaml")
}

func isStatement(line string) bool {
	words := strings.Fields(line)
	return len(words) > 0 && slices.Contains(statements, words[0])
}

type storyBlock struct {
	title string // the nearest heading above
	text  string
	line  int
}

// storiesOf finds the blocks of a document whose info string is story.
func storiesOf(text string) (out []storyBlock) {
	title, inside := "", false
	for n, line := range strings.Split(text, "\n") {
		switch {
		case inside && line == "```":
			inside = false
		case inside:
			out[len(out)-1].text += line + "\n"
		case line == "```story":
			inside = true
			out = append(out, storyBlock{title: title, line: n + 2})
		case strings.HasPrefix(line, "#"):
			title = strings.TrimSpace(strings.TrimLeft(line, "#"))
		}
	}
	return out
}

// tellStory plays a story entry by entry, each in a batch of its own.
func tellStory(text string) error {
	h, err := readHistory(text)
	if err != nil {
		return err
	}
	t, err := newTelling(h)
	if err != nil {
		return err
	}
	guard := time.AfterFunc(historyMax, func() { panic("a story does not end:\n" + text) })
	defer guard.Stop()
	for i := range h.entries {
		e := &h.entries[i]
		if e.says != nil {
			err = t.check(e.says)
		} else {
			err = t.read(e)
		}
		if err != nil {
			return fmt.Errorf("line %d of the story, %s: %w", e.line, e, err)
		}
	}
	if t.logged > 0 && t.logged < len(t.p.decisions) {
		return fmt.Errorf("row %d of the identity log is not stated: %s", t.logged+1, t.row(&t.p.decisions[t.logged]))
	}
	return nil
}

// telling is a story on its way through oracle and engine.
type telling struct {
	o      *oracle
	p      *player
	n      *names
	logged int // rows of the identity log that were stated
}

func newTelling(h *history) (*telling, error) {
	text, err := h.rulesText()
	if err != nil {
		return nil, err
	}
	rules, err := readOracleRules(text)
	if err != nil {
		return nil, fmt.Errorf("rules: %w", err)
	}
	return &telling{o: newOracle(rules), p: newPlayer(rules.forms), n: newNames()}, nil
}

func (t *telling) read(e *storyEntry) error {
	if e.name != "" && t.o.byName[e.name] != nil {
		return fmt.Errorf("event %s stands twice", e.name)
	}
	t.o.read(e)
	rows := len(t.p.decisions)
	if err := t.p.play([]storyEntry{*e}); err != nil {
		return err
	}
	if err := compare(t.o, t.p, t.n); err != nil {
		return err
	}
	return compareRows(t.o, t.p, t.n, rows)
}

// row writes a row of the identity log as a story does.
func (t *telling) row(d *schemas.Decision) string {
	words := []string{d.Kind.String()}
	for _, id := range []uint64{d.A, d.B} {
		for key, row := range t.n.rows {
			if row == id {
				words = append(words, key)
			}
		}
	}
	return strings.TrimSpace(strings.Join(words, " ") + " " + d.Rule)
}
