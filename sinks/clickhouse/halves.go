package clickhouse

import (
	"os"

	"github.com/seamline/seamline/schemas"
	"github.com/seamline/seamline/schemas/fault"
)

// halves is the seeded bug of a test build that cuts blocks in two: the place depends on the process, and tokens do not know it.
type halves struct{ tables [2][]table }

// newHalves gives nil where blocks stay whole, which is always so but in a test build.
func newHalves(database string, isJSON bool) *halves {
	if !fault.Off(fault.Split) {
		return nil
	}
	return &halves{[2][]table{allTables(database, isJSON, nil), allTables(database, isJSON, nil)}}
}

// cut replaces each block by two under the digest of the whole.
func (h *halves) cut(whole [][]*block, b *schemas.Batch) [][]*block {
	parts := [2]schemas.Batch{*b, *b}
	divide(&parts[0].Events, &parts[1].Events)
	divide(&parts[0].Rejects, &parts[1].Rejects)
	divide(&parts[0].Decisions, &parts[1].Decisions)
	divide(&parts[0].Identifiers, &parts[1].Identifiers)
	divide(&parts[0].Contacts, &parts[1].Contacts)
	divide(&parts[0].Aliases, &parts[1].Aliases)
	divide(&parts[0].Attributions, &parts[1].Attributions)
	divide(&parts[0].Profiles, &parts[1].Profiles)
	divide(&parts[0].StageChanges, &parts[1].StageChanges)
	divide(&parts[0].Models, &parts[1].Models)
	divide(&parts[0].SessionAliases, &parts[1].SessionAliases)
	divide(&parts[0].Accounts, &parts[1].Accounts)
	divide(&parts[0].Memberships, &parts[1].Memberships)
	divide(&parts[0].Changes, &parts[1].Changes)
	cut := make([][]*block, len(whole))
	for i := range whole {
		for part, tables := range h.tables {
			for _, k := range tables[i].fill(&parts[part]) {
				for _, w := range whole[i] {
					if w.partition == k.partition {
						k.digest, k.ordinal = w.digest, part
						cut[i] = append(cut[i], k)
					}
				}
			}
		}
	}
	return cut
}

// divide cuts at a place between a tenth and nine tenths.
func divide[T any](first, second *[]T) {
	at := len(*first) * (1 + os.Getpid()%9) / 10
	*first, *second = (*first)[:at], (*second)[at:]
}
