package main

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"slices"

	"github.com/seamline/seamline/schemas"
)

// previewReport says how large audiences are, how they overlap, and what other rules would change.
type previewReport struct {
	File      string            `json:"file,omitempty"` // of the rules to try; empty for a look at those in force
	At        schemas.Time      `json:"at"`
	Records   uint64            `json:"records"`
	Events    uint64            `json:"events"`
	People    int               `json:"people"`
	Audiences []previewAudience `json:"audiences"`
	Overlaps  []previewOverlap  `json:"overlaps"` // the largest first
}

// previewAudience is one audience: without a file to try, Before and Size are the same.
type previewAudience struct {
	Name    string         `json:"name"`
	Size    int            `json:"size"`
	Before  int            `json:"before"` // under the rules in force
	Added   int            `json:"added"`
	Removed int            `json:"removed"`
	Change  string         `json:"change,omitempty"` // new or gone: of audiences that only one side has
	Sample  previewSamples `json:"sample"`
}

// previewSamples are some people of each kind, the same ones whenever they are asked for.
type previewSamples struct {
	Members []previewMember `json:"members"`
	Added   []previewMember `json:"added"`
	Removed []previewMember `json:"removed"`
}

// previewMember is somebody in an audience.
type previewMember struct {
	ProfileID schemas.ProfileID `json:"profile_id"`
	Since     schemas.Time      `json:"since"`
}

// previewOverlap is how many people two audiences have in common.
type previewOverlap struct {
	A      string  `json:"a"`
	B      string  `json:"b"`
	Both   int     `json:"both"`
	ShareA float64 `json:"share_of_a"`
	ShareB float64 `json:"share_of_b"`
}

// previewCount counts people audience by audience.
type previewCount struct {
	report *previewReport
	index  map[string]int // of report.Audiences
	pairs  map[[2]int]int
	top    int
	before map[int]schemas.Time // audiences of the person at hand, with since when
	after  map[int]schemas.Time
	inside []int
}

// report asks at the end who is where.
func (r *rehearsedAudiences) report(opt previewOptions) *previewReport {
	c := &previewCount{report: &previewReport{File: opt.file, At: r.now, Records: r.records, Events: r.events, Audiences: []previewAudience{}, Overlaps: []previewOverlap{}},
		index: map[string]int{}, pairs: map[[2]int]int{}, top: opt.top, before: map[int]schemas.Time{}, after: map[int]schemas.Time{}}
	other := r.other
	if other == nil {
		other = r.inForce
	}
	c.name(r.inForce, "gone")
	c.name(other, "new")
	r.stitch.Profiles(func(profile uint32) {
		c.report.People++
		clear(c.before)
		clear(c.after)
		r.inForce.Of(profile, func(name string, since schemas.Time) { c.before[c.index[name]] = since })
		other.Of(profile, func(name string, since schemas.Time) { c.after[c.index[name]] = since })
		if len(c.before)+len(c.after) > 0 {
			id, _ := r.stitch.Profile(profile)
			c.count(id)
		}
	})
	c.overlaps(opt.only)
	if opt.only != "" {
		c.report.Audiences = []previewAudience{c.report.Audiences[c.index[opt.only]]}
	}
	return c.report
}

// name makes place for the audiences of a side, and notes those that only it has.
func (c *previewCount) name(side *rehearsedSide, alone string) {
	for i := range side.rules {
		name := side.rules[i].Name
		if at, known := c.index[name]; known {
			c.report.Audiences[at].Change = ""
			continue
		}
		c.index[name] = len(c.report.Audiences)
		c.report.Audiences = append(c.report.Audiences, previewAudience{Name: name, Change: alone,
			Sample: previewSamples{Members: []previewMember{}, Added: []previewMember{}, Removed: []previewMember{}}})
	}
}

// count counts one person.
func (c *previewCount) count(id schemas.ProfileID) {
	for i, since := range c.before {
		a := &c.report.Audiences[i]
		a.Before++
		if _, stays := c.after[i]; !stays {
			a.Removed++
			a.Sample.Removed = c.sample(a.Sample.Removed, id, since)
		}
	}
	c.inside = c.inside[:0]
	for i, since := range c.after {
		a := &c.report.Audiences[i]
		a.Size++
		a.Sample.Members = c.sample(a.Sample.Members, id, since)
		if _, was := c.before[i]; !was {
			a.Added++
			a.Sample.Added = c.sample(a.Sample.Added, id, since)
		}
		c.inside = append(c.inside, i)
	}
	slices.Sort(c.inside)
	for n, i := range c.inside {
		for _, j := range c.inside[n+1:] {
			c.pairs[[2]int{i, j}]++
		}
	}
}

// sample keeps the people with the smallest ids. Ids are hashes, so that those are as good as drawn by chance, and always the same.
func (c *previewCount) sample(list []previewMember, id schemas.ProfileID, since schemas.Time) []previewMember {
	at, _ := slices.BinarySearchFunc(list, id, func(m previewMember, id schemas.ProfileID) int { return bytes.Compare(m.ProfileID[:], id[:]) })
	if at >= c.top {
		return list
	}
	list = slices.Insert(list, at, previewMember{ProfileID: id, Since: since})
	return list[:min(len(list), c.top)]
}

// overlaps lists the largest ones.
func (c *previewCount) overlaps(only string) {
	r := c.report
	for pair, both := range c.pairs {
		a, b := &r.Audiences[pair[0]], &r.Audiences[pair[1]]
		if only == "" || a.Name == only || b.Name == only {
			r.Overlaps = append(r.Overlaps, previewOverlap{A: a.Name, B: b.Name, Both: both, ShareA: float64(both) / float64(a.Size), ShareB: float64(both) / float64(b.Size)})
		}
	}
	slices.SortFunc(r.Overlaps, func(x, y previewOverlap) int {
		return cmp.Or(cmp.Compare(y.Both, x.Both), cmp.Compare(x.A, y.A), cmp.Compare(x.B, y.B))
	})
	r.Overlaps = r.Overlaps[:min(len(r.Overlaps), 2*c.top)]
}

// print writes the report as text.
func (r *previewReport) print(out io.Writer) error {
	w := &errWriter{out: out}
	w.printf("read %s, %s; %s as of %s\n\n", number(int(r.Records), "record"), number(int(r.Events), "event"), number(r.People, "profile"), r.At)
	columns := []string{"audience", "people", "share"}
	if r.File != "" {
		columns = append(columns, "before", "added", "removed", "change")
	}
	var rows [][]any
	for i := range r.Audiences {
		a := &r.Audiences[i]
		row := []any{a.Name, a.Size, percent(float64(a.Size) / float64(max(r.People, 1)))}
		if r.File != "" {
			row = append(row, a.Before, a.Added, a.Removed, a.Change)
		}
		rows = append(rows, row)
	}
	w.printf("%s\n", table(columns, rows))
	rows = nil
	for _, o := range r.Overlaps {
		rows = append(rows, []any{o.A, o.B, o.Both, percent(o.ShareA), percent(o.ShareB)})
	}
	if len(rows) > 0 {
		w.printf("%s\n", table([]string{"overlap of", "and", "people", "of the first", "of the second"}, rows))
	}
	rows = nil
	for i := range r.Audiences {
		rows = append(rows, r.Audiences[i].people(r.File != "")...)
	}
	if len(rows) > 0 {
		w.printf("%s", table([]string{"audience", "", "profile", "since"}, rows))
	}
	return w.err
}

// people lists the samples of an audience: where rules are compared, those who would come and go.
func (a *previewAudience) people(isCompared bool) (rows [][]any) {
	add := func(what string, list []previewMember) {
		for _, m := range list {
			rows = append(rows, []any{a.Name, what, m.ProfileID, m.Since})
		}
	}
	if !isCompared {
		add("member", a.Sample.Members)
	}
	add("added", a.Sample.Added)
	add("removed", a.Sample.Removed)
	return rows
}

func percent(share float64) string { return fmt.Sprintf("%.1f %%", 100*share) }
