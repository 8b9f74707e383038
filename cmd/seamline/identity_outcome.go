package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/seamline/seamline/schemas"
)

// outcome is what came of a command.
type outcome struct {
	ID   string `json:"id"`
	Kind string `json:"kind"`
	Done bool   `json:"done"` // it was carried out
	// All that follows is of commands that were carried out, by rows of the identity log.
	Decisions          int                 `json:"decisions"` // 0: it changed nothing
	Refolded           map[string]int      `json:"refolded"`  // links that were decided otherwise, by what holds now
	Split              []schemas.ProfileID `json:"split"`     // profiles that are on their own again, at most splitShownMax
	ProfilesSplit      int                 `json:"profiles_split"`
	AliasesTakenBack   uint64              `json:"aliases_taken_back"`
	EventsReattributed uint64              `json:"events_reattributed"` // events of the profiles that are on their own again
	Hands              int                 `json:"hands"`               // shared identifiers that changed hands by it
}

// splitShownMax bounds the profiles that are named.
const splitShownMax = 20

// outcome reads what came of a command that was carried out.
func (d *identityDesk) outcome(ctx context.Context, given *givenOrder) (*outcome, error) {
	o := &outcome{ID: given.ID, Kind: given.Kind, Done: true, Refolded: map[string]int{}, Split: []schemas.ProfileID{}}
	rows, err := d.reader.DecisionsOf(ctx, given.ID, given.position)
	if err != nil {
		return nil, err
	}
	o.Decisions = len(rows)
	var split []schemas.ProfileID
	for i := range rows {
		switch r := &rows[i]; r.Kind {
		case schemas.DecisionSplit:
			split = append(split, r.ProfileID)
		case schemas.DecisionDemoted:
			o.Hands++
		case schemas.DecisionLinked, schemas.DecisionMerged, schemas.DecisionRefused:
			o.Refolded[r.Kind.String()]++
		}
	}
	o.ProfilesSplit, o.Split = len(split), append(o.Split, split[:min(len(split), splitShownMax)]...)
	if o.AliasesTakenBack, err = d.reader.TakenBack(ctx, split); err != nil {
		return nil, err
	}
	o.EventsReattributed, err = d.reader.EventsOf(ctx, split)
	return o, err
}

// print writes the outcome as text.
func (o *outcome) print(out io.Writer) error {
	w := &errWriter{out: out}
	switch {
	case !o.Done:
		w.printf("%s %s was given; seamline run carries it out\n", o.Kind, o.ID)
		return w.err
	case o.Decisions == 0:
		w.printf("%s %s was carried out and changed nothing\n", o.Kind, o.ID)
		return w.err
	}
	w.printf("%s %s was carried out: %s of the identity log\n", o.Kind, o.ID, number(o.Decisions, "row"))
	w.printf("  profiles on their own again: %d\n", o.ProfilesSplit)
	for _, p := range o.Split {
		w.printf("    %s\n", p)
	}
	if more := o.ProfilesSplit - len(o.Split); more > 0 {
		w.printf("    and %d more\n", more)
	}
	w.printf("  aliases taken back: %d\n  events that belong to those profiles now: %d\n", o.AliasesTakenBack, o.EventsReattributed)
	for _, kind := range []schemas.DecisionKind{schemas.DecisionLinked, schemas.DecisionMerged, schemas.DecisionRefused} {
		if n := o.Refolded[kind.String()]; n > 0 {
			w.printf("  links that are %s now and were not: %d\n", kind, n)
		}
	}
	if o.Hands > 0 {
		w.printf("  shared identifiers that changed hands: %d\n", o.Hands)
	}
	return w.err
}

// waiting shows that something is waited for: one line that is rewritten on a terminal, and a plain line every few seconds elsewhere.
type waiting struct {
	out      io.Writer
	terminal bool
	last     time.Time
	width    int
}

func newWaiting(out io.Writer) *waiting {
	file, ok := out.(*os.File)
	return &waiting{out: out, terminal: ok && isTerminal(file), last: time.Now()}
}

func (w *waiting) update(text string) {
	every := 3 * time.Second
	if w.terminal {
		every = 200 * time.Millisecond
	}
	if w.out == nil || time.Since(w.last) < every {
		return
	}
	w.last = time.Now()
	if !w.terminal {
		fmt.Fprintln(w.out, text)
		return
	}
	fmt.Fprintf(w.out, "\r%s%s", text, strings.Repeat(" ", max(0, w.width-len(text))))
	w.width = len(text)
}

// end takes the line off the terminal.
func (w *waiting) end() {
	if w.width > 0 {
		fmt.Fprintf(w.out, "\r%s\r", strings.Repeat(" ", w.width))
		w.width = 0
	}
}
