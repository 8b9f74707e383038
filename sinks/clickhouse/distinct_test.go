package clickhouse

import (
	"fmt"
	"slices"
	"testing"

	"github.com/seamline/seamline/schemas"
)

// keyed tells of each block of a batch whether its rows are known to have keys of their own.
func keyed(b *schemas.Batch) map[string]bool {
	all := map[string]bool{}
	for _, table := range allTables("any", false, testSealer()) {
		for _, k := range table.fill(b) {
			all[k.table+k.partition] = k.isKeyed
		}
	}
	return all
}

func TestBlocksKnowWhetherKeysDiffer(t *testing.T) {
	t.Parallel()
	make := func() *schemas.Batch {
		return (&builder{Rand: random(t), events: 300, months: 1, words: 5}).batch(1)
	}
	for block, isKeyed := range keyed(make()) {
		if want := block != "dead_letters"; isKeyed != want { // those are left to the server
			t.Errorf("%s of different keys: %v, want %v", block, isKeyed, want)
		}
	}
	for table, repeat := range map[string]func(b *schemas.Batch){
		"events": func(b *schemas.Batch) {
			twice := *b.Events[17]
			twice.Items = nil
			b.Events = append(b.Events, &twice)
		},
		"order_lines": func(b *schemas.Batch) {
			for _, e := range b.Events {
				if e.OrderSign() != 0 && len(e.Items) > 0 {
					e.Items = append(e.Items, e.Items[0])
				}
			}
		},
		"profiles":         func(b *schemas.Batch) { b.Profiles = append(b.Profiles, b.Profiles[0]) },
		"identifiers":      func(b *schemas.Batch) { b.Identifiers = append(b.Identifiers, b.Identifiers[3]) },
		"identity_log":     func(b *schemas.Batch) { b.Decisions = append(b.Decisions, b.Decisions[3]) },
		"profile_aliases":  func(b *schemas.Batch) { b.Aliases = append(b.Aliases, b.Aliases[3]) },
		"leaf_profiles":    func(b *schemas.Batch) { b.Attributions = append(b.Attributions, b.Attributions[3]) },
		"audiences":        func(b *schemas.Batch) { b.Audiences = append(b.Audiences, b.Audiences[3]) },
		"audience_members": func(b *schemas.Batch) { b.Memberships = append(b.Memberships, b.Memberships[3]) },
		"audience_changes": func(b *schemas.Batch) { b.Changes = append(b.Changes, b.Changes[3]) },
		"journey_changes":  func(b *schemas.Batch) { b.StageChanges = append(b.StageChanges, b.StageChanges[3]) },
		"models":           func(b *schemas.Batch) { b.Models = append(b.Models, b.Models[3]) },
		"session_aliases":  func(b *schemas.Batch) { b.SessionAliases = append(b.SessionAliases, b.SessionAliases[3]) },
		"accounts":         func(b *schemas.Batch) { b.Accounts = append(b.Accounts, b.Accounts[3]) },
		"catalog":          again(schemas.TypePriceChange),
		"stock":            again(schemas.TypeStockChange),
		"consents":         again(schemas.TypeConsentUpdate),
		"survey_answers":   again(schemas.TypeSurveyAnswer),
		"contacts":         contactAgain, // and contacts_clear, whose name begins alike
	} {
		b := make()
		repeat(b)
		found := keyed(b)
		count := 0
		for block, isKeyed := range found {
			if len(block) >= len(table) && block[:len(table)] == table {
				count++
				if isKeyed {
					t.Errorf("%s has a key twice and does not know it", block)
				}
			}
		}
		if count == 0 {
			t.Errorf("no block of %s", table)
		}
	}
}

// contactAgain gives a batch twice a row that stands in both tables of contact data.
func contactAgain(b *schemas.Batch) {
	at := slices.IndexFunc(b.Contacts, func(r schemas.ContactRow) bool { return r.Clear != "" })
	b.Contacts = append(b.Contacts, b.Contacts[at])
}

// again gives a batch its last event of a type twice.
func again(kind schemas.Type) func(b *schemas.Batch) {
	return func(b *schemas.Batch) {
		for _, e := range slices.Backward(b.Events) {
			if e.Type == kind {
				b.Events = append(b.Events, e)
				return
			}
		}
	}
}

// Rows of one key in one INSERT are one row, as they are where the server merges them.
func TestKeyTwiceInABatchIsOneRow(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	s := open(t, cfg)
	b := s.sample()
	twice := *b.Events[0]
	twice.Amount, twice.Items = 5, nil
	b.Events = append(b.Events, &twice)
	older := b.Profiles[0]
	b.Profiles = append(b.Profiles, older)
	b.Profiles[1].Orders = 3
	write(t, s, b)
	for table, want := range map[string]string{"events": "1", "profiles": "1"} {
		if got := one(t, cfg, "SELECT count() FROM "+table); got != want {
			t.Errorf("%s has %s rows, want %s", table, got, want)
		}
	}
	if got := one(t, cfg, "SELECT orders FROM profiles"); got != "3" {
		t.Errorf("the person has %s orders, want those of the later row, 3", got)
	}
	if got := one(t, cfg, "SELECT amount FROM events"); got != fmt.Sprint(schemas.Decimal(5)) {
		t.Errorf("the event has the amount %s, want that of the later row", got)
	}
}
