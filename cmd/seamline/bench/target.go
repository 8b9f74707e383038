package bench

import (
	"fmt"
	"io"
)

// Target is a goal and what was measured.
type Target struct {
	Name    string  `json:"name"`
	Value   float64 `json:"value"`
	Goal    float64 `json:"goal"`
	Stretch float64 `json:"stretch,omitempty"` // 0 for none
	Least   bool    `json:"least"`             // the value is to be at least the goal, and not at most
	Unit    string  `json:"unit"`
	Note    string  `json:"note,omitempty"` // what a reader has to know
	Met     bool    `json:"met"`
	Verdict string  `json:"verdict"`
}

// AtMost makes a target that is met up to the goal.
func AtMost(name string, value, goal float64, unit string) Target {
	return Target{Name: name, Value: value, Goal: goal, Unit: unit}.judged()
}

// AtLeast makes a target that is met from the goal on.
func AtLeast(name string, value, goal float64, unit string) Target {
	return Target{Name: name, Value: value, Goal: goal, Unit: unit, Least: true}.judged()
}

// With adds what a reader has to know.
func (t Target) With(note string) Target {
	t.Note = note
	return t
}

// Stretched adds a goal beyond the goal.
func (t Target) Stretched(goal float64) Target {
	t.Stretch = goal
	return t.judged()
}

// judged fills the verdict.
func (t Target) judged() Target {
	t.Met, t.Verdict = t.reaches(t.Goal), "not met"
	switch {
	case t.Met && t.Stretch != 0 && t.reaches(t.Stretch):
		t.Verdict = "pass, stretch too"
	case t.Met:
		t.Verdict = "pass"
	}
	return t
}

func (t Target) reaches(goal float64) bool {
	if t.Least {
		return t.Value >= goal
	}
	return t.Value <= goal
}

// PrintTargets writes targets with their verdicts.
func PrintTargets(out io.Writer, targets []Target) {
	if len(targets) == 0 {
		return
	}
	fmt.Fprintf(out, "\n  %-72s %12s %16s\n", "target", "value", "goal")
	for _, t := range targets {
		word := "at most"
		if t.Least {
			word = "at least"
		}
		goal := fmt.Sprintf("%s %.6g", word, t.Goal)
		if t.Stretch != 0 {
			goal += fmt.Sprintf(" (%.6g)", t.Stretch)
		}
		fmt.Fprintf(out, "  %-72s %12.4g %16s %-10s %s\n", t.Name, t.Value, goal, t.Unit, t.Verdict)
		if t.Note != "" {
			fmt.Fprintf(out, "      %s\n", t.Note)
		}
	}
}
