package score

import (
	"slices"

	"github.com/seamline/seamline/schemas"
)

// account is what is kept of a company, or another group that people act for, by its word.
type account struct {
	members uint32 // head of the list of leaves that named it
	demo    schemas.Time
	touched bool // by the batch
	unsaved bool
}

// member is a leaf that named an account.
type member struct{ leaf, next uint32 }

// accountPeopleMax bounds the people that one row of an account is folded of: those with the smallest numbers.
const accountPeopleMax = 10_000

// belong notes which account an event was done for. A leaf belongs to the one that it named last, by the time of the event.
func (s *Stage) belong(l *leaf, e *schemas.Event) {
	if e.AccountID == "" {
		return
	}
	word := s.words.of(e.AccountID)
	if word == 0 {
		return
	}
	s.touchAccount(word)
	a := s.accounts.At(word)
	if e.Type == schemas.TypeDemoRequest && e.Time > a.demo {
		a.demo = e.Time
		s.changeAccount(word, a)
	}
	if e.Time < l.accountAt || e.Time == l.accountAt && word <= l.account {
		return
	}
	if l.account != word {
		if l.account != 0 {
			s.touchAccount(l.account)
		}
		l.account = word
		s.join(word, e.Leaf)
	}
	l.accountAt = e.Time
}

// join makes a leaf a member, once.
func (s *Stage) join(word, leaf uint32) {
	a := s.accounts.At(word)
	for i := a.members; i != 0; i = s.members.At(i).next {
		if s.members.At(i).leaf == leaf {
			return
		}
	}
	a.members = s.members.Append(member{leaf: leaf, next: a.members})
}

func (s *Stage) changeAccount(word uint32, a *account) {
	if !a.unsaved {
		a.unsaved = true
		s.unsaved.accounts = append(s.unsaved.accounts, word)
	}
}

// touchAccount notes that the batch touched an account.
func (s *Stage) touchAccount(word uint32) {
	s.accounts.Extend(int(word) + 1)
	if a := s.accounts.At(word); !a.touched {
		a.touched = true
		s.touchedAccounts = append(s.touchedAccounts, word)
	}
}

// accountOf gives the account of the profile that was folded last: the one that any of its leaves named last; 0 for none.
func (s *Stage) accountOf() (word uint32) {
	at := schemas.Time(0)
	for _, i := range s.fold.leaves {
		if l := s.leaves.At(i); l.account != 0 && (word == 0 || l.accountAt > at || l.accountAt == at && l.account > word) {
			word, at = l.account, l.accountAt
		}
	}
	return word
}

// recount touches the account of the profile that was folded last, and the one that it was counted in before.
func (s *Stage) recount(index uint32, lives bool) {
	j, now := s.journey(index), uint32(0)
	if lives {
		if now = s.accountOf(); now != 0 {
			s.touchAccount(now)
		}
	}
	if j.account == now {
		return
	}
	if j.account != 0 {
		s.touchAccount(j.account)
	}
	j.account = now
	s.changeJourney(index, j)
}

// emitAccounts makes the rows of the accounts that the batch touched, in the order of their words.
func (s *Stage) emitAccounts(b *schemas.Batch) {
	slices.Sort(s.touchedAccounts)
	for _, word := range s.touchedAccounts {
		s.accounts.At(word).touched = false
		b.Accounts = append(b.Accounts, s.accountRow(word, b.Number))
	}
	s.touchedAccounts = s.touchedAccounts[:0]
}

// accountRow folds the people of an account. Revenue is in the currency in which most of their orders are.
func (s *Stage) accountRow(word uint32, version uint64) schemas.Account {
	row := schemas.Account{ID: s.words.words[word], Version: version, Demo: s.accounts.At(word).demo}
	var people []uint32
	for i := s.accounts.At(word).members; i != 0; i = s.members.At(i).next {
		people = append(people, s.graph.Owner(s.members.At(i).leaf))
	}
	slices.Sort(people)
	people = slices.Compact(people)
	var purses []purse
	for _, index := range people[:min(len(people), accountPeopleMax)] {
		var p schemas.Profile
		if !s.profile(&p, index, schemas.FieldsAll) || s.accountOf() != word {
			continue
		}
		addPerson(&row, &p, s.journey(index).stage)
		purses = addPurse(purses, &p)
	}
	best := purse{}
	for _, c := range purses {
		if c.orders > best.orders || c.orders == best.orders && c.currency < best.currency {
			best = c
		}
	}
	row.Revenue, row.Currency = best.revenue, best.currency
	return row
}

// purse is what people spent in one currency.
type purse struct {
	currency string
	orders   int64
	revenue  schemas.Decimal
}

func addPurse(purses []purse, p *schemas.Profile) []purse {
	if p.Orders == 0 && p.Revenue == 0 {
		return purses
	}
	i := slices.IndexFunc(purses, func(c purse) bool { return c.currency == p.Currency })
	if i < 0 {
		i = len(purses)
		purses = append(purses, purse{currency: p.Currency})
	}
	purses[i].orders += p.Orders
	purses[i].revenue += p.Revenue
	return purses
}

// addPerson adds somebody to the row of their account.
func addPerson(row *schemas.Account, p *schemas.Profile, stage schemas.JourneyStage) {
	row.People++
	row.Stage = max(row.Stage, furthest(stage))
	row.Events += p.Events
	row.Sessions += p.Sessions
	row.Views += p.ProductViews
	row.Orders += p.Orders
	row.First, row.Last = schemas.Earlier(row.First, p.FirstSeen), max(row.Last, p.LastSeen)
}

// furthest lets those who stopped buying count as the customers that they were: one who left does not make the account leave.
func furthest(stage schemas.JourneyStage) schemas.JourneyStage {
	if stage > schemas.JourneyLoyal {
		return schemas.JourneyCustomer
	}
	return stage
}
