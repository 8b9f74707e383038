package main

import (
	"fmt"
	"io"
	"strings"
)

func (d *dryIdentifier) text() string {
	switch {
	case d.Display != "":
		return d.Namespace + " " + d.Display
	case d.ID != 0:
		return fmt.Sprintf("%s, identifier %d", d.Namespace, d.ID)
	}
	return d.Namespace
}

func (p *dryProfile) text(unit string) string {
	name := "of " + p.Oldest.text()
	if p.ProfileID != nil {
		name = p.ProfileID.String() + " (" + p.Oldest.text() + ")"
	}
	return fmt.Sprintf("%s: %s, %s", name, number(int(p.Identifiers), "identifier"), number(int(p.Events), unit))
}

// print writes the report as text.
func (r *dryReport) print(out io.Writer) error {
	w := &errWriter{out: out}
	unit := "event"
	if r.From == "log" {
		unit = "link"
		w.printf("folded %s of the identity log twice\n", number(int(r.Events), unit))
	} else {
		w.printf("folded %s, %s, twice\n", number(int(r.Records), "record"), number(int(r.Events), unit))
	}
	for _, note := range r.Notes {
		w.printf("%s\n", note)
	}
	w.printf("\n%-36s %12s %12s\n", "", "before", "after")
	row := func(what string, n beforeAfter) { w.printf("%-36s %12d %12d\n", what, n.Before, n.After) }
	row("profiles", r.Profiles)
	row("profiles that "+unit+"s belong to", r.Seen)
	row(unit+"s that belong to nobody", r.Nobody)
	w.printf("\nmerges gained: %d\n", r.Gained)
	r.printMerges(w, r.GainedExamples, unit)
	w.printf("merges lost: %d\n", r.Lost)
	r.printMerges(w, r.LostExamples, unit)
	w.printf("profiles that would change their id: %d\n", r.ChangedID)
	for i := range r.ChangedExamples {
		c := &r.ChangedExamples[i]
		w.printf("  %s\n    becomes %s\n", c.Before.text(unit), c.After.text(unit))
	}
	w.printf("\nbiggest profiles before\n")
	r.printClusters(w, r.Biggest.Before, unit)
	w.printf("biggest profiles after\n")
	r.printClusters(w, r.Biggest.After, unit)
	w.printf("\n%-12s %-36s %12s %12s\n", "decision", "rule", "before", "after")
	for _, d := range r.Decisions {
		w.printf("%-12s %-36s %12d %12d\n", d.Decision, d.Rule, d.Before, d.After)
	}
	return w.err
}

func (r *dryReport) printMerges(w *errWriter, merges []dryMerge, unit string) {
	for i := range merges {
		m := &merges[i]
		w.printf("  %s\n", m.Whole.text(unit))
		w.printf("    on the other side %d profiles%s\n", m.Pieces, strings.Repeat(", among them", min(1, m.Pieces-len(m.Parts))))
		for j := range m.Parts {
			w.printf("      %s\n", m.Parts[j].text(unit))
		}
		for _, l := range m.Links {
			w.printf("    held together by the link of %s and %s, since %s\n", l.A.text(), l.B.text(), l.Time)
		}
	}
}

func (r *dryReport) printClusters(w *errWriter, profiles []dryProfile, unit string) {
	for i := range profiles {
		p := &profiles[i]
		w.printf("  %s; %s, %s, %s\n", p.text(unit), number(int(p.UserIDs), "user_id"), number(int(p.Emails), "email"), number(int(p.Devices), "device"))
	}
}
