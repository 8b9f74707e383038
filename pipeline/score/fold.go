package score

import (
	"slices"

	"github.com/seamline/seamline/schemas"
)

// folder is the memory that folding a profile reuses.
type folder struct {
	orders  []uint32
	ops     []cartOp
	days    []int32
	carts   []cartLine
	leaves  []uint32
	visits  []visit
	spare   []visit
	written []keyed
	basket  []uint32
	cells   []keyed
	taste   taste
	ranked  []wordWeight
	own     totals
	sum     *totals // of the profile that was folded last
	buyers  []*leaf // those of the leaves that have orders

	visitsCut bool // there were more than visitsMax

	candidates []candidate
	best       []int32 // of the candidates
	marks      []int32 // by SKU: where it stands among the candidates, if it does
	currencies []coin
	names      map[currency]string
	collect    func(leaf uint32) // appends to leaves, if it has state
}

type cartLine struct {
	sku      uint32
	quantity schemas.Decimal
	price    schemas.Decimal
}

// profile folds the leaves of a profile into its row, but for the journey, and for the groups of fields that are not asked for where they
// cost something. It tells whether the profile lives.
func (s *Stage) profile(p *schemas.Profile, index uint32, reads schemas.Fields) bool {
	id, merged := s.graph.Profile(index)
	*p = schemas.Profile{Index: index, ID: id, Version: p.Version, CartSKUs: p.CartSKUs[:0]}
	if merged != 0 {
		p.Merged, p.LastSeen = true, merged
		return false
	}
	f := &s.fold
	f.buyers, f.ops, f.leaves = f.buyers[:0], f.ops[:0], f.leaves[:0]
	s.graph.Leaves(index, f.collect)
	slices.Sort(f.leaves)
	var home residence
	for _, i := range f.leaves {
		l := s.leaves.At(i)
		s.addLeaf(p, l, reads)
		home.note(l.country, l.countryAt)
	}
	p.Country = home.country.String()
	s.graph.Count(p)
	if reads&(schemas.FieldsSessions|schemas.FieldsScored) != 0 {
		s.foldVisits(p)
	}
	if reads&(schemas.FieldsOrders|schemas.FieldsCart|schemas.FieldsScored) != 0 {
		s.foldOrders(p)
	}
	if reads&(schemas.FieldsCart|schemas.FieldsScored) != 0 {
		s.foldCart(p)
	}
	return true
}

// addLeaf adds the order-free parts of a leaf and collects the rest for the folds below.
func (s *Stage) addLeaf(p *schemas.Profile, l *leaf, reads schemas.Fields) {
	f := &s.fold
	for c := range l.channels {
		from, to := &l.channels[c], &p.Channels[c]
		if from.events == 0 {
			continue
		}
		to.Events += uint64(from.events)
		to.FirstSeen, to.LastSeen = schemas.Earlier(to.FirstSeen, from.first), max(to.LastSeen, from.last)
		p.Events += uint64(from.events)
		p.FirstSeen, p.LastSeen = schemas.Earlier(p.FirstSeen, from.first), max(p.LastSeen, from.last)
	}
	p.ProductViews += uint64(l.productViews)
	p.Searches += uint64(l.searches)
	p.CheckoutAt = max(p.CheckoutAt, l.checkout)
	p.Refunds += l.refunds
	addEmail(&p.Email, &l.email)
	if l.orders != 0 {
		f.buyers = append(f.buyers, l)
	}
	if reads&(schemas.FieldsCart|schemas.FieldsScored) != 0 {
		f.ops = s.appendOpsOf(f.ops, l)
	}
}

func addEmail(to *schemas.EmailTotals, from *mailed) {
	to.Sent += uint64(from.sent)
	to.Delivered += uint64(from.delivered)
	to.Opens += uint64(from.opens)
	to.MachineOpens += uint64(from.machineOpens)
	to.Clicks += uint64(from.clicks)
	to.MachineClicks += uint64(from.machineClicks)
	to.Bounces += uint64(from.bounces)
	to.Unsubscribes += uint64(from.unsubscribes)
	to.Complaints += uint64(from.complaints)
	to.LastOpen, to.LastClick = max(to.LastOpen, from.lastOpen), max(to.LastClick, from.lastClick)
}

// foldCart replays the cart changes of all leaves after the last order, whichever channel that was on.
func (s *Stage) foldCart(p *schemas.Profile) {
	f := &s.fold
	if len(f.ops) == 0 {
		return
	}
	slices.SortFunc(f.ops, compareOps)
	f.carts = f.carts[:0]
	for _, op := range f.ops {
		if op.time <= p.LastOrder {
			continue
		}
		p.CartUpdated = max(p.CartUpdated, op.time)
		at := slices.IndexFunc(f.carts, func(c cartLine) bool { return c.sku == op.sku })
		if at < 0 {
			if op.quantity <= 0 {
				continue
			}
			f.carts = append(f.carts, cartLine{sku: op.sku})
			at = len(f.carts) - 1
		}
		line := &f.carts[at]
		if op.quantity == 0 {
			line.quantity = 0
		} else {
			line.quantity = max(0, line.quantity+op.quantity)
		}
		if op.price != 0 {
			line.price = op.price
		}
	}
	for _, line := range f.carts {
		if line.quantity > 0 {
			p.CartSKUs = append(p.CartSKUs, s.skus.words[line.sku])
			p.CartQuantity += line.quantity
			p.CartValue += line.quantity.Mul(line.price)
		}
	}
	slices.Sort(p.CartSKUs)
	if len(p.CartSKUs) == 0 {
		p.CartUpdated = 0
	}
}
