package stitch

import (
	"encoding/hex"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seamline/seamline/schemas"
	"github.com/seamline/seamline/schemas/contact"
)

// said makes an event at a minute, with identifiers ns:value and contact data kind=value.
func said(minute int, words ...string) *schemas.Event {
	e := &schemas.Event{ID: fmt.Sprint(minute, words), Time: schemas.Day*20_000 + schemas.Time(minute)*schemas.Minute}
	for _, w := range words {
		if kind, value, ok := strings.Cut(w, "="); ok {
			e.Contacts = append(e.Contacts, schemas.Contact{Kind: schemas.ContactKind(slices.Index(schemas.ContactNames(), kind)), Value: value})
			continue
		}
		ns, value, _ := strings.Cut(w, ":")
		e.Identify(ns, value)
	}
	return e
}

// rowsOf plays events in one batch and writes their contact rows: minute, identifier, kind and the clear value, or - where it was taken back.
func rowsOf(t *testing.T, s *Stage, events ...*schemas.Event) []string {
	t.Helper()
	b := &schemas.Batch{Events: events}
	apply(t, s, b)
	var rows []string
	for _, r := range b.Contacts {
		text := r.Clear
		if r.Forms == (schemas.ContactForms{}) {
			text = "-"
		}
		rows = append(rows, fmt.Sprintf("%d %d %s %s", (r.Time-schemas.Day*20_000)/schemas.Minute, r.IdentifierID, r.Kind, text))
	}
	return rows
}

func newStage() *Stage { return New(DefaultRules(), []byte("test"), nil, prometheus.NewRegistry()) }

func expectRows(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: rows\n  %s\nwant\n  %s", what, strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

// TestTell: what is new becomes a row, once, of the identifier that it belongs to.
func TestTell(t *testing.T) {
	t.Parallel()
	s := newStage()
	expectRows(t, "first sight", rowsOf(t, s,
		said(1, "anonymous_id:a", "email: Customer-17@Example.com", "phone:(650) 555-1212", "user_id:u17", "given_name=Mary", "country=Germany", "postal=10 115"),
		said(2, "email:customer-17@example.com", "anonymous_id:a")),
		"1 2 email customer-17@example.com", "1 3 phone +16505551212", "1 1 given_name Mary", "1 1 country de", "1 1 postal 10 115")
	expectRows(t, "the same again, and older", rowsOf(t, s, said(3, "user_id:u17", "given_name=Mary", "country=Germany"), said(0, "user_id:u17", "given_name=Marie")))
	expectRows(t, "something else", rowsOf(t, s, said(4, "user_id:u17", "given_name=Maria"), said(5, "user_id:u17", "given_name=Mary"), said(6, "user_id:u17", "given_name=\xff")),
		"4 1 given_name Maria", "5 1 given_name Mary")
	expectRows(t, "late, though what came last has no form", rowsOf(t, s, said(4, "user_id:u17", "given_name=Maria"), said(5, "user_id:u17", "given_name=Mary")))
	expectRows(t, "what has no form changed nothing", rowsOf(t, s, said(6, "user_id:u17", "given_name=Maria")), "6 1 given_name Maria")
	expectRows(t, "the same code in another country", rowsOf(t, s, said(7, "user_id:u17", "postal=10 115", "country=US")), "7 1 postal 10 115", "7 1 country us")
	id := "ab1234cd-e123-12fa-b123-0123456789ab"
	expectRows(t, "tracking is off before it was on", rowsOf(t, s, said(8, "device_id:d", "mobile_id="), said(7, "device_id:d", "mobile_id="+id)))
	expectRows(t, "tracking on, off and on", rowsOf(t, s, said(9, "device_id:d", "mobile_id="+id), said(10, "device_id:d", "mobile_id="), said(11, "device_id:d", "mobile_id="),
		said(12, "device_id:d", "mobile_id="+id)), "9 5 mobile_id "+id, "10 5 mobile_id -", "12 5 mobile_id "+id)
	expectRows(t, "nobody's", rowsOf(t, s, said(13, "ip:1.2.3.4", "given_name=Mary"), said(13, "user_id:null", "email:x", "city=Bonn")))

	erase := said(14, "email:customer-17@example.com")
	erase.Command = schemas.Command{Kind: schemas.CommandErase}
	other := said(15, "user_id:u17")
	other.Command = schemas.Command{Kind: schemas.CommandErase}
	expectRows(t, "erased", rowsOf(t, s, erase, other), "14 2 email -", "15 1 given_name -", "15 1 postal -", "15 1 country -")
	expectRows(t, "an erased address is new", rowsOf(t, s, said(16, "email:customer-17@example.com")), "16 8 email customer-17@example.com")
}

// TestTellMobileID: an advertising id is that of its device, whoever uses it, and that of the head where no device may link.
func TestTellMobileID(t *testing.T) {
	t.Parallel()
	s := newStage()
	one, two := "ab1234cd-e123-12fa-b123-0123456789ab", "ab1234cd-e123-12fa-b123-0123456789ac"
	expectRows(t, "two devices of a person", rowsOf(t, s, said(1, "user_id:u17", "device_id:phone", "mobile_id="+one, "city=Bonn"), said(2, "user_id:u17", "device_id:tablet", "mobile_id="+two),
		said(3, "user_id:u17", "device_id:phone", "mobile_id="+one)), "1 2 mobile_id "+one, "1 1 city Bonn", "2 3 mobile_id "+two)
	expectRows(t, "one opts out, seen without its user", rowsOf(t, s, said(4, "device_id:phone", "mobile_id=")), "4 2 mobile_id -")
	expectRows(t, "without a device", rowsOf(t, s, said(5, "user_id:u17", "mobile_id="+one)), "5 1 mobile_id "+one)
	rules := DefaultRules()
	rules.byName["device_id"].Class = schemas.ClassEvidence
	expectRows(t, "a device that may not link", rowsOf(t, New(rules, []byte("test"), nil, prometheus.NewRegistry()), said(1, "user_id:u17", "device_id:phone", "mobile_id="+one)), "1 1 mobile_id "+one)
}

// TestTellHashedBesideClear: a hashed address does not take the place of the clear one that the event belongs to.
func TestTellHashedBesideClear(t *testing.T) {
	t.Parallel()
	s := newStage()
	hash := contact.Hash("customer-18@example.com")
	hashed := "email=" + hex.EncodeToString(hash[:])
	expectRows(t, "beside the head", rowsOf(t, s, said(1, "email:customer-17@example.com", hashed), said(2, "email:customer-17@example.com", hashed)), "1 1 email customer-17@example.com")
	b := &schemas.Batch{Events: []*schemas.Event{said(3, "user_id:u17", "email:customer-17@example.com", hashed)}}
	if apply(t, s, b); len(b.Contacts) != 1 || b.Contacts[0].IdentifierID != 2 || b.Contacts[0].Forms.Plain != hash {
		t.Errorf("of another head: %+v", b.Contacts)
	}
}

// TestTellInAnyOrder: of what is said at one time, the same counts, whatever came first; what was taken back is taken back.
func TestTellInAnyOrder(t *testing.T) {
	t.Parallel()
	last := func(words ...string) string {
		s := newStage()
		newest := "-"
		for _, w := range words {
			if rows := rowsOf(t, s, said(1, "user_id:u17", w)); len(rows) > 0 {
				newest = rows[0]
			}
		}
		return newest
	}
	for _, words := range [][]string{{"city=Bonn", "city=Paris", "city=Lima"}, {"city=Bonn", "city=Paris", "city="}, {"city=", "city=Paris", "city=--"}} {
		want := last(words...)
		for _, order := range [][]int{{0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
			got := last(words[order[0]], words[order[1]], words[order[2]])
			if got != want && !(strings.HasSuffix(got, "-") && strings.HasSuffix(want, "-")) {
				t.Errorf("%v in the order %v gives %s, and else %s", words, order, got, want)
			}
		}
	}
}

// TestTellKnownBefore: identifiers of a state that knew no contact data are told by their next event.
func TestTellKnownBefore(t *testing.T) {
	t.Parallel()
	s := newStage()
	rowsOf(t, s, said(1, "email:customer-17@example.com"))
	s.g.nodes.At(1).flags &^= isTold // as an older build left it
	expectRows(t, "after an upgrade", rowsOf(t, s, said(2, "email:customer-17@example.com"), said(3, "email:customer-17@example.com")), "2 1 email customer-17@example.com")
}

func TestTellForms(t *testing.T) {
	t.Parallel()
	s := newStage()
	b := &schemas.Batch{Events: []*schemas.Event{said(1, "email:A.b+c@gmail.com", "phone:+16505551212", "country=de")}}
	apply(t, s, b)
	h := contact.Hash
	want := []schemas.ContactForms{{Plain: h("a.b+c@gmail.com"), Google: h("ab@gmail.com"), UID2: h("ab@gmail.com")},
		{Plain: h("16505551212"), Google: h("+16505551212"), UID2: h("+16505551212")}, {Plain: h("de")}}
	for i, w := range want {
		if i >= len(b.Contacts) || b.Contacts[i].Forms != w {
			t.Fatalf("row %d of %+v is not %+v", i, b.Contacts, w)
		}
	}
	if b.Contacts[2].Value != "de" || b.Contacts[0].Value != "" {
		t.Errorf("in clear: %+v", b.Contacts)
	}
}

// TestTellWhereverCut: rows do not depend on where batches are cut or whether the stage starts over in between, and the newest row of an
// identifier and kind says what the events, one by one, say.
func TestTellWhereverCut(t *testing.T) {
	t.Parallel()
	rng := newSeed(t)
	events := func() []*schemas.Event {
		rng := rand.New(rand.NewPCG(17, rng.Uint64()))
		var list []*schemas.Event
		for _, minute := range rng.Perm(300) { // in no order of time, and no two at one: TestTellInAnyOrder has those
			words := []string{fmt.Sprint("user_id:u", rng.IntN(3))}
			if rng.IntN(2) == 0 {
				words = append(words, fmt.Sprint("device_id:d", rng.IntN(3)))
			}
			if rng.IntN(3) == 0 {
				words = append(words, fmt.Sprintf("email:customer-%d@example.com", rng.IntN(9)))
			}
			for _, kind := range []string{"given_name", "city", "country"} {
				if rng.IntN(2) == 0 {
					words = append(words, kind+"="+[]string{"Germany", "France", "Peru", "", "--"}[rng.IntN(5)])
				}
			}
			if rng.IntN(2) == 0 {
				words = append(words, "mobile_id="+[]string{"ab1234cd-e123-12fa-b123-0123456789ab", "ab1234cd-e123-12fa-b123-0123456789ac", "", "none"}[rng.IntN(4)])
			}
			list = append(list, said(minute, words...))
		}
		return list
	}()
	want := rowsOf(t, newStage(), events...)
	cut := newStage()
	var store entries
	var got []string
	for from := 0; from < len(events); {
		to := min(from+1+rng.IntN(20), len(events))
		got = append(got, rowsOf(t, cut, events[from:to]...)...)
		if from = to; rng.IntN(3) == 0 {
			if err := cut.Save(&store); err != nil {
				t.Fatal(err)
			}
			cut = newStage()
			if err := cut.Load(&store); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(want) < 30 || !slices.Equal(got, want) {
		t.Errorf("%d rows, and %d where batches are cut:\n%s\n\n%s", len(want), len(got), strings.Join(want, "\n"), strings.Join(got, "\n"))
	}
	newest, latest := map[string]string{}, map[string]int{}
	for _, e := range events {
		minute := int((e.Time - schemas.Day*20_000) / schemas.Minute)
		device := slices.IndexFunc(e.Identifiers, func(i schemas.Identifier) bool { return i.Namespace == "device_id" })
		for _, c := range e.Contacts {
			of := e.IdentifierIDs[0]
			if c.Kind == schemas.ContactMobileID && device >= 0 {
				of = e.IdentifierIDs[len(e.IdentifierIDs)-1] // the lowest priority
			}
			key := fmt.Sprint(of, " ", c.Kind)
			if at, known := latest[key]; c.Value != "--" && c.Value != "none" && (!known || minute > at) {
				latest[key], newest[key] = minute, c.Value
			}
		}
	}
	rows, at := map[string]string{}, map[string]int{}
	for _, r := range want {
		f := strings.Fields(r)
		var minute int
		if _, err := fmt.Sscan(f[0], &minute); err != nil {
			t.Fatal(err)
		}
		if key := f[1] + " " + f[2]; f[2] != "email" && minute >= at[key] {
			at[key], rows[key] = minute, f[3]
		}
	}
	// What is taken back has a row that says so, or none.
	maps.DeleteFunc(newest, func(_, value string) bool { return value == "" })
	maps.DeleteFunc(rows, func(_, value string) bool { return value == "-" })
	codes := map[string]string{"Germany": "de", "France": "fr", "Peru": "pe"}
	for key := range newest {
		if strings.HasSuffix(key, "country") {
			newest[key] = codes[newest[key]]
		}
	}
	if !maps.Equal(rows, newest) {
		t.Errorf("the newest rows say %v, and the events %v", rows, newest)
	}
}
