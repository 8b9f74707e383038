package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/seamline/seamline/pipeline/explain"
	"github.com/seamline/seamline/schemas"
)

// text names an identifier for people.
func (s *shownIdentifier) text() string {
	if s.Display == "" {
		return fmt.Sprintf("%s (identifier %d, erased)", s.Namespace, s.ID)
	}
	return fmt.Sprintf("%s %s", s.Namespace, s.Display)
}

func (s *shownIdentifier) whose() string {
	if s.ProfileID == nil {
		return "nobody that is known"
	}
	return "profile " + s.ProfileID.String()
}

// summarise says in one sentence what was found.
func (e *explanation) summarise(isOne bool) string {
	broken := ""
	for i := range e.Chain {
		if s := &e.Chain[i]; s.State != explain.Holds && broken == "" {
			broken = s.why()
		}
	}
	sameHands := e.A.ProfileID != nil && e.B.ProfileID != nil && *e.A.ProfileID == *e.B.ProfileID
	switch {
	case isOne:
		return "both are the same identifier"
	case e.Together && !sameHands && e.A.ProfileID != nil && e.B.ProfileID != nil:
		return fmt.Sprintf("a chain of %s makes them one person, but one is a shared identifier that another profile has in hands now", number(len(e.Chain), "link"))
	case e.Together:
		return fmt.Sprintf("they are one person, by a chain of %s", number(len(e.Chain), "link"))
	case e.Truncated:
		return fmt.Sprintf("no chain was found before the search became too large, after %s", number(e.Seen, "identifier"))
	case broken == "":
		return "they are apart: no event connects them, not even over others"
	case sameHands:
		return "they are apart, but one is in the hands of the other's profile now: " + broken
	}
	return "they are apart: " + broken
}

// number gives a count with its noun.
func number(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// why says why a link does not hold.
func (s *shownStep) why() string {
	rule := s.Rule
	if rule == "" {
		rule = "no rule noted"
	}
	between := fmt.Sprintf("the link of %s and %s", s.From.text(), s.To.text())
	switch s.State {
	case explain.Refused:
		text := fmt.Sprintf("%s was refused (%s)", between, rule)
		if s.Lent {
			text += ", and the shared one follows the other's records"
		}
		return text
	case explain.Retracted:
		return fmt.Sprintf("%s was retracted at %s (%s)", between, s.Decided, rule)
	case explain.Quarantined:
		return fmt.Sprintf("%s does not carry, since one of them is quarantined (%s)", between, rule)
	}
	return between + " holds"
}

func (v *shownEvent) text() string {
	var what []string
	for _, w := range []string{v.Source, v.Channel, v.Type} {
		if w != "" {
			what = append(what, w)
		}
	}
	kind := strings.Join(what, " ")
	if kind == "" {
		kind = "no longer in the tables"
	}
	return fmt.Sprintf("event %s of %s (%s)", v.ID, v.Time, kind)
}

// print writes the explanation as text.
func (e *explanation) print(out io.Writer) error {
	w := &errWriter{out: out}
	w.printf("%s\n  belongs to %s\n%s\n  belongs to %s\n", e.A.text(), e.A.whose(), e.B.text(), e.B.whose())
	if e.AsOf != nil {
		w.printf("as of %s: ", *e.AsOf)
	}
	w.printf("%s\n", e.Summary)
	for i := range e.Chain {
		s := &e.Chain[i]
		w.printf("\n%d. %s - %s\n", i+1, s.From.text(), s.To.text())
		switch {
		case s.State != explain.Holds:
			w.printf("   %s: %s\n", s.State, s.why())
		case s.Rule != "":
			w.printf("   %s (%s)\n", s.Decision, s.Rule)
		default:
			w.printf("   %s\n", s.Decision)
		}
		w.printf("   first: %s\n", s.First.text())
		if s.Last != nil {
			w.printf("   last:  %s; %s with both\n", s.Last.text(), number(int(s.Events), "event"))
		}
	}
	if e.Truncated {
		w.printf("\nThe search was ended after %s: the group is too large to be sure.\n", number(e.Seen, "identifier"))
	}
	return w.err
}

// print writes the biography as text.
func (b *biography) print(out io.Writer) error {
	w := &errWriter{out: out}
	w.printf("%s: %s, identifier %d, seen from %s to %s\n", b.Identifier.text(), b.Identifier.Class, b.Identifier.ID, b.Identifier.FirstSeen, b.Identifier.LastSeen)
	if b.Identifier.Quarantined {
		w.printf("It is quarantined: its links do not carry.\n")
	}
	if b.AsOf != nil {
		w.printf("As of %s, it", *b.AsOf)
	} else {
		w.printf("It")
	}
	w.printf(" belongs to %s", b.Identifier.whose())
	if b.Since != nil {
		w.printf(" since %s", *b.Since)
	}
	w.printf("\n")
	if b.Truncated {
		w.printf("Only the newest %s of the identity log that name it follow.\n", number(len(b.History), "row"))
	}
	for i := range b.History {
		x := &b.History[i]
		w.printf("%s %-11s", x.Time, x.Decision)
		if x.With != nil {
			w.printf(" with %s", x.With.text())
		}
		w.printf(", profile %s", x.Profile)
		if x.Other != (schemas.ProfileID{}) {
			w.printf(" (other %s)", x.Other)
		}
		if x.Rule != "" {
			w.printf(", %s", x.Rule)
		}
		w.printf(", event %s\n", x.EventID)
	}
	return w.err
}

// errWriter keeps the first error of a text that is written in pieces.
type errWriter struct {
	out io.Writer
	err error
}

func (w *errWriter) printf(format string, args ...any) {
	if w.err == nil {
		_, w.err = fmt.Fprintf(w.out, format, args...)
	}
}
