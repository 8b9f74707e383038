package stitch

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/seamline/seamline/schemas"
)

// propertiesEach is how many histories share one look at the properties.
const propertiesEach = 4

// properties takes one link and one identifier of the history. Retracting the link and seeing it again changes nothing; quarantine and
// release of the identifier change nothing; and forbidding the link at the end is as if it had never carried.
func (w *ways) properties(o *oracle) error {
	rng := rand.New(rand.NewPCG(w.seed, 11))
	if rng.IntN(propertiesEach) > 0 {
		return nil
	}
	var links []*oracleLink
	for _, l := range o.links {
		if !o.ids[l.head].erased && !o.ids[l.other].erased {
			links = append(links, l)
		}
	}
	if len(links) > 0 {
		if err := w.retractAndSee(o, links[rng.IntN(len(links))]); err != nil {
			return err
		}
		if err := w.forbid(o, links[rng.IntN(len(links))]); err != nil {
			return err
		}
	}
	var free []*oracleID
	for _, id := range o.ids {
		if id.linkable() && !id.quarantined && !id.erased {
			free = append(free, id)
		}
	}
	if len(free) > 0 {
		return w.quarantineAndRelease(o, free[rng.IntN(len(free))])
	}
	return nil
}

// same plays entries and compares them with an oracle that read others.
func (w *ways) same(what string, entries []storyEntry, o *oracle) error {
	p, err := w.play(entries, w.random(), false)
	if err == nil {
		err = compare(o, p, newNames())
	}
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

func (w *ways) ends(o *oracle, l *oracleLink) (ids []schemas.Identifier) {
	return []schemas.Identifier{o.ids[l.head].Identifier, o.ids[l.other].Identifier}
}

// after appends entries in the minute after the last.
func (w *ways) after(more ...storyEntry) []storyEntry {
	at := w.entries[len(w.entries)-1].at + schemas.Minute
	out := slices.Clone(w.entries)
	for _, e := range more {
		e.at = at
		out = append(out, e)
	}
	return out
}

func (w *ways) retractAndSee(o *oracle, l *oracleLink) error {
	ids := w.ends(o, l)
	retract := storyEntry{ids: ids, command: schemas.Command{Kind: schemas.CommandRetract}}
	see := storyEntry{ids: ids, name: "again"}
	return w.same(fmt.Sprint(ids, " retracted and seen again"), w.after(retract, see), w.oracle(w.after(see)))
}

func (w *ways) quarantineAndRelease(o *oracle, id *oracleID) error {
	quarantine := storyEntry{ids: []schemas.Identifier{id.Identifier}, command: schemas.Command{Kind: schemas.CommandQuarantine}}
	release := quarantine
	release.command.Kind = schemas.CommandRelease
	return w.same(id.key+" quarantined and released", w.after(quarantine, release), o)
}

func (w *ways) forbid(o *oracle, l *oracleLink) error {
	ids := w.ends(o, l)
	forbid := storyEntry{ids: ids, command: schemas.Command{Kind: schemas.CommandRetract, Forbid: true}, at: l.at}
	never := newOracle(w.rules)
	never.barred = [2]string{o.ids[l.head].key, o.ids[l.other].key}
	first := -1
	for i := range w.entries {
		never.read(&w.entries[i])
		if first < 0 && len(never.links) > 0 && slices.ContainsFunc(never.links, func(l *oracleLink) bool { return l.forbidden && never.isBarred(l) }) {
			first = i
		}
	}
	if err := w.same(fmt.Sprint(ids, " forbidden at the end"), w.after(forbid), never); err != nil {
		return err
	}
	early := slices.Insert(slices.Clone(w.entries), first+1, forbid)
	return w.same(fmt.Sprint(ids, " forbidden when first seen"), early, never)
}

// TestManyHands: an identifier that changes hands more often than claims are kept, in any order of time.
func TestManyHands(t *testing.T) {
	t.Parallel()
	rng := newSeed(t)
	for _, text := range []string{"", "namespaces: {device_id: {class: shared, priority: 6, limit: 2, history: moves}}"} {
		rules, err := readOracleRules(text)
		if err != nil {
			t.Fatal(err)
		}
		w := &ways{rules: rules, names: newNames(), seed: rng.Uint64()}
		for i := range 2500 {
			e := storyEntry{name: fmt.Sprint("e", i), at: storyEpoch + schemas.Time(i+rng.IntN(100))*schemas.Minute}
			e.ids = append(e.ids, drawIdentifier("device_id", rng.IntN(2)))
			if rng.IntN(3) > 0 {
				e.ids = append(e.ids, drawIdentifier("user_id", rng.IntN(4)))
			}
			w.entries = append(w.entries, e)
		}
		p, err := w.play(w.entries, w.random(), true)
		if err == nil {
			err = compare(w.oracle(w.entries), p, w.names)
		}
		if err != nil {
			t.Error(err)
		}
		if o := w.oracle(w.entries); len(o.ids[o.known[drawIdentifier("device_id", 0)]].claims) != oracleClaimsMax {
			t.Error("the identifier did not change hands often enough")
		}
	}
}
