package stitch

import "github.com/seamline/seamline/schemas"

// learn is rule 9.
func (o *oracle) learn(ev *oracleEvent, at schemas.Time) {
	day := at / schemas.Day
	for _, i := range ev.ids {
		for _, other := range ev.ids {
			if ns := o.ids[other].Namespace; other != i && o.ids[other].linkable() && (ns == schemas.NamespaceUserID || ns == schemas.NamespaceEmail) {
				o.ids[i].sights = append(o.ids[i].sights, oracleSight{other, day})
			}
		}
	}
	for _, i := range ev.ids {
		id := o.ids[i]
		if id.linkable() && id.rule.Fanout > 0 && !id.released && o.people(id, day) > id.rule.Fanout {
			o.stale = o.stale || !id.quarantined
			id.quarantined = true
		}
	}
}

// people counts with how many user_ids, else e-mails, an identifier was seen up to a day.
func (o *oracle) people(id *oracleID, day schemas.Time) int {
	for _, namespace := range []string{schemas.NamespaceUserID, schemas.NamespaceEmail} {
		ever, recent := false, map[int]bool{}
		for _, s := range id.sights {
			if o.ids[s.other].Namespace != namespace {
				continue
			}
			ever = true
			if s.day >= day-90 {
				recent[s.other] = true
			}
		}
		if ever {
			return len(recent)
		}
	}
	return 0
}

// command is rule 10. A command about what is not known does nothing.
func (o *oracle) command(e *storyEntry) {
	var of []int
	for _, raw := range e.ids {
		form, _ := o.rules.form(raw)
		i, known := o.known[form.Identifier]
		if !known {
			return
		}
		of = append(of, i)
	}
	o.stale = true
	id := o.ids[of[0]]
	switch e.command.Kind {
	case schemas.CommandRetract:
		for _, l := range o.links {
			if len(of) == 1 && (l.head == of[0] || l.other == of[0]) || len(of) == 2 && pairOf(l.head, l.other) == pairOf(of[0], of[1]) {
				l.retracted = true
				l.forbidden = l.forbidden || e.command.Forbid && len(of) == 2
			}
		}
	case schemas.CommandQuarantine:
		id.quarantined = true
	case schemas.CommandRelease:
		id.quarantined, id.released = false, true
	case schemas.CommandErase:
		id.erased = true
		delete(o.known, id.Identifier)
	}
}
