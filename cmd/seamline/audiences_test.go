package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seamline/seamline/schemas"
)

// preview asks for a preview, and checks what is printed.
func (s *stand) preview(opt previewOptions) *previewReport {
	t := s.t
	t.Helper()
	opt.log = s.settings.logger(testWriter{t})
	if err := opt.validate(&s.settings, nil); err != nil {
		t.Fatal(err)
	}
	r, err := previewAudiences(t.Context(), &s.settings, opt)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := printed(t, r)
	for i := range r.Audiences {
		if !strings.Contains(text, r.Audiences[i].Name) {
			t.Errorf("%s is not in\n%s", r.Audiences[i].Name, text)
		}
	}
	t.Logf("\n%s", text)
	return r
}

// members lists the rows of audience_members that last.
func (s *stand) members() []string {
	s.t.Helper()
	return s.query("SELECT toString(audience), toString(profile_id), toString(toUnixTimestamp64Milli(since)) FROM audience_members FINAL WHERE member")
}

// TestEndToEndPreview: what a preview says is what two lines make of the same topics, under the rules in force and under the others; and
// nothing is touched.
func TestEndToEndPreview(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.create()
	traffic := streetTraffic(seeded(t), 40, 900)
	s.publish(traffic...)
	s.settings.Audiences.Rules = rulesFile(t, `audiences:
  - {name: carts, description: d, when: 'cart_quantity > 0 and idle(cart_updated, "1h")'}
  - {name: buyers, description: d, when: orders > 0}
  - {name: old, description: d, when: sessions > 1}
`)
	other := s.beside()
	other.settings.Audiences.Rules = rulesFile(t, `audiences:
  - {name: carts, description: d, when: 'cart_quantity > 1 and within(cart_updated, "2h")'}
  - {name: fresh, description: d, when: 'within(last_seen, "1h")'}
  - {name: buyers, description: d, when: orders > 0}
`)
	now := schemas.TimeOf(traffic[len(traffic)-1].Time.Add(10 * time.Minute))
	for _, each := range []*stand{s, other} {
		each.run(func(o *runOptions) { o.now, o.advanceTo = now, now })
	}
	before := s.traces()
	r := s.preview(previewOptions{file: other.settings.Audiences.Rules, now: now, top: topMax})
	if after := s.traces(); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
	s.expect("SELECT count() FROM profiles FINAL WHERE NOT deleted", fmt.Sprint(r.People))
	was, is := s.members(), other.members()
	got := map[string][]string{}
	for i := range r.Audiences {
		a := &r.Audiences[i]
		note := func(what string, list []previewMember, n int) {
			if len(list) != n {
				t.Errorf("%s: %d %s, and %d of them shown", a.Name, n, what, len(list))
			}
			for _, m := range list {
				got[what] = append(got[what], fmt.Sprintf("%s|%s|%d", a.Name, m.ProfileID, m.Since))
			}
		}
		note("member", a.Sample.Members, a.Size)
		note("added", a.Sample.Added, a.Added)
		note("removed", a.Sample.Removed, a.Removed)
		if a.Before-a.Removed+a.Added != a.Size {
			t.Errorf("%s: %d before, %d removed, %d added, %d after", a.Name, a.Before, a.Removed, a.Added, a.Size)
		}
	}
	person := func(row string) string { return row[:strings.LastIndexByte(row, '|')] }
	f := func(what string, want []string) {
		t.Helper()
		slices.Sort(want)
		slices.Sort(got[what])
		if len(want) == 0 || !slices.Equal(got[what], want) {
			t.Errorf("%s: got %d\n%q\nwant %d\n%q", what, len(got[what]), got[what], len(want), want)
		}
	}
	f("member", slices.Clone(is))
	without := func(list, others []string) (rest []string) {
		for _, row := range list {
			if !slices.ContainsFunc(others, func(o string) bool { return person(o) == person(row) }) {
				rest = append(rest, row)
			}
		}
		return rest
	}
	f("added", without(is, was))
	f("removed", without(was, is))
	changes := []string{}
	for _, a := range r.Audiences {
		changes = append(changes, a.Name+" "+a.Change)
	}
	if want := []string{"carts ", "buyers ", "old gone", "fresh new"}; !slices.Equal(changes, want) {
		t.Errorf("got %q, want %q", changes, want)
	}
	s.checkOverlaps(r, is)

	s.checkAlone(now)
}

// checkAlone: without a file, those in force are shown; one audience alone is the same as among all.
func (s *stand) checkAlone(now schemas.Time) {
	t := s.t
	t.Helper()
	alone := s.preview(previewOptions{only: "buyers", now: now, top: 2})
	if a := alone.Audiences; len(a) != 1 || a[0].Name != "buyers" || a[0].Size == 0 || a[0].Added+a[0].Removed != 0 || a[0].Before != a[0].Size || len(a[0].Sample.Members) != 2 {
		t.Errorf("alone: %+v", a)
	}
	if _, err := previewAudiences(t.Context(), &s.settings, previewOptions{only: "nobody", log: s.settings.logger(testWriter{t})}); !errors.As(err, new(usageError)) {
		t.Errorf("an audience that is not there: %v", err)
	}
}

// checkOverlaps counts overlaps among members of the table.
func (s *stand) checkOverlaps(r *previewReport, members []string) {
	s.t.Helper()
	people := map[string]map[string]bool{}
	for _, row := range members {
		cells := strings.Split(row, "|")
		if people[cells[0]] == nil {
			people[cells[0]] = map[string]bool{}
		}
		people[cells[0]][cells[1]] = true
	}
	for i, o := range r.Overlaps {
		both := 0
		for p := range people[o.A] {
			if people[o.B][p] {
				both++
			}
		}
		if both != o.Both || o.ShareA != float64(both)/float64(len(people[o.A])) || o.ShareB != float64(both)/float64(len(people[o.B])) || i > 0 && r.Overlaps[i-1].Both < o.Both {
			s.t.Errorf("%+v, and %d people are in both", o, both)
		}
	}
	if len(r.Overlaps) == 0 {
		s.t.Error("no overlaps")
	}
}

// TestAudiencesCheck: mistakes are told with file, line and a suggestion, and end the command as failed; wrong usage has its own code.
func TestAudiencesCheck(t *testing.T) {
	t.Parallel()
	f := func(code int, want string, args ...string) {
		t.Helper()
		err := runAudiences(t.Context(), args)
		var out bytes.Buffer
		if got := exitCode(err, &out); got != code || !strings.Contains(out.String(), want) {
			t.Errorf("%q: exit code %d, %q; want %d, %q", args, got, out.String(), code, want)
		}
	}
	good := rulesFile(t, "audiences:\n  - {name: a, description: d, when: orders > 0}\n")
	bad := rulesFile(t, "audiences:\n  - name: a\n    description: d\n    when: order > 0\n")
	f(exitDone, "", "check", "--file", good)
	f(exitDone, "", "check", "--file", good, "--json")
	f(exitDone, "", "check")
	f(exitFailed, bad, "check", "--file", bad)
	f(exitFailed, "line ", "check", "--file", bad)
	f(exitFailed, "did you mean orders?", "check", "--audiences.rules", bad)
	f(exitFailed, "no such file", "check", "--file", good+"-none")
	f(exitUsage, "takes no arguments", "check", good)
	f(exitUsage, "", "check", "--fil", good)
	f(exitUsage, "--top must be", "preview", "--top", "-1")
	f(exitUsage, "unknown command", "chek")
	list, err := checkAudiences(&settings{}, good)
	if err != nil || len(list.Audiences) != 1 || list.Audiences[0] != (checkedAudience{Name: "a", Description: "d", When: "orders > 0"}) {
		t.Errorf("got %+v, error %v", list, err)
	}
	var text bytes.Buffer
	if err := list.print(&text); err != nil || !strings.Contains(text.String(), "1 audience, no mistakes") {
		t.Errorf("got %q, error %v", text.String(), err)
	}
	if _, err := os.Stat(good); err != nil {
		t.Error(err)
	}
}
