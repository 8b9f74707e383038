package clickhouse

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/seamline/seamline/schemas"
)

// people is a model of who events belong to that is as naive as can be: every leaf has an owner of its own, who has a profile of its
// own, and a person is a set of owners, whose profile is that of the first. It knows nothing of batches, dictionaries and rows.
type people struct {
	*rand.Rand
	groups [][]int        // of owners, sorted; every owner is in one
	events map[string]int // owner by event
	number uint64
	all    []*schemas.Batch // by number, from 1
}

func owned(owner int) schemas.ProfileID {
	return schemas.ProfileID{0: byte(owner >> 8), 1: byte(owner), 6: 0x70, 8: 0x80, 15: 1}
}

func (p *people) groupOf(owner int) int {
	return slices.IndexFunc(p.groups, func(g []int) bool { return slices.Contains(g, owner) })
}

func (p *people) person(owner int) schemas.ProfileID { return owned(p.groups[p.groupOf(owner)][0]) }

func (p *people) owners() (n int) {
	for _, g := range p.groups {
		n += len(g)
	}
	return n
}

// next makes a batch of random events, merges and unmerges.
func (p *people) next(changes int) *schemas.Batch {
	p.number++
	b := &schemas.Batch{Number: p.number, Now: start}
	for range changes {
		switch p.IntN(8) {
		case 0, 1:
			p.groups = append(p.groups, []int{p.owners()})
			p.event(b, p.owners()-1)
		case 2, 3:
			p.merge(b)
		case 4:
			p.split(b)
		default:
			if n := p.owners(); n > 0 {
				p.event(b, p.IntN(n))
			}
		}
	}
	p.all = append(p.all, b)
	return b
}

func (p *people) event(b *schemas.Batch, owner int) {
	name := fmt.Sprintf("%d-%d", b.Number, len(b.Events))
	e := event(name, start+schemas.Time(p.IntN(3))*40*schemas.Day+schemas.Time(p.IntN(1000)), schemas.TypeOrder, p.person(owner))
	e.Leaf, e.OrderID, e.Items = uint32(owner+1), "order "+name, []schemas.Item{{LineID: "1", SKU: "A"}}
	e.Consents = []schemas.Consent{{Purpose: schemas.PurposeAnalytics, State: schemas.ConsentGranted}}
	e.Answer = schemas.Answer{Survey: "shop", Kind: schemas.SurveyNPS, Score: 9}
	b.Events = append(b.Events, e)
	p.events[name] = owner
}

// merge unites two groups: the profiles of one become aliases.
func (p *people) merge(b *schemas.Batch) {
	if len(p.groups) < 2 {
		return
	}
	i, j := p.IntN(len(p.groups)), p.IntN(len(p.groups))
	if i == j {
		return
	}
	if p.groups[i][0] > p.groups[j][0] {
		i, j = j, i
	}
	away := p.groups[j]
	p.groups[i] = append(p.groups[i], away...)
	slices.Sort(p.groups[i])
	p.groups = slices.Delete(p.groups, j, j+1)
	for _, owner := range away {
		p.alias(b, owner)
	}
}

// split takes a group apart: all its leaves are attributed anew, and aliases resolve to another person or to none.
func (p *people) split(b *schemas.Batch) {
	if len(p.groups) == 0 {
		return
	}
	i := p.IntN(len(p.groups))
	var stay, leave []int
	for k, owner := range p.groups[i] {
		if k == 0 || p.IntN(2) == 0 {
			stay = append(stay, owner)
		} else {
			leave = append(leave, owner)
		}
	}
	if len(leave) == 0 {
		return
	}
	p.groups[i] = stay
	p.groups = append(p.groups, leave)
	for _, owner := range leave {
		p.alias(b, owner)
	}
	// Leaves that stay have events that were written under a profile that leaves.
	for _, owner := range append(leave, stay...) {
		b.Attributions = slices.DeleteFunc(b.Attributions, func(a schemas.Attribution) bool { return a.Leaf == uint32(owner+1) })
		b.Attributions = append(b.Attributions, schemas.Attribution{Leaf: uint32(owner + 1), ProfileID: p.person(owner), Since: start})
	}
}

// alias says where an owner's profile resolves to; a batch says it once.
func (p *people) alias(b *schemas.Batch, owner int) {
	b.Aliases = slices.DeleteFunc(b.Aliases, func(a schemas.Alias) bool { return a.AliasID == owned(owner) })
	b.Aliases = append(b.Aliases, schemas.Alias{AliasID: owned(owner), ProfileID: p.person(owner), Since: start})
}

// want gives who every event belongs to.
func (p *people) want() map[string]string {
	want := map[string]string{}
	for name, owner := range p.events {
		want[name] = p.person(owner).String()
	}
	return want
}

// differences compares what the views say with what is wanted.
func differences(t testing.TB, cfg Config, want map[string]string) []string {
	var wrong []string
	for view, person := range map[string]string{"events_resolved": "profile_id", "order_lines_current": "profile_id", "consents FINAL": resolve(cfg.Database),
		"survey_answers FINAL": resolve(cfg.Database)} {
		_, rows, err := Query(t.Context(), cfg, "SELECT event_id, toString("+person+") FROM "+view)
		if err != nil {
			return []string{err.Error()}
		}
		if len(rows) != len(want) {
			wrong = append(wrong, fmt.Sprintf("%s has %d rows, want %d", view, len(rows), len(want)))
		}
		for _, r := range rows {
			if name := r[0].(string); want[name] != r[1].(string) {
				wrong = append(wrong, fmt.Sprintf("%s: %s is of %s, want %s", view, name, r[1], want[name]))
			}
		}
	}
	return wrong
}

// check fails where a view is wrong.
func (p *people) check(t testing.TB, cfg Config, after string) {
	t.Helper()
	if wrong := differences(t, cfg, p.want()); len(wrong) > 0 {
		t.Fatalf("after %s, batch %d: %d wrong, such as %s", after, p.number, len(wrong), strings.Join(wrong[:min(3, len(wrong))], "; "))
	}
}
