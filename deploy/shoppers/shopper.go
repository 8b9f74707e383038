package shoppers

// channel is where money was spent.
type channel uint8

const (
	channelWeb channel = iota
	channelApp
	channelStore
	channels
)

// cartLinesMax bounds a cart, so that a shopper has a fixed size.
const cartLinesMax = 6

// cart is what lies in a shopper's cart. There is one of the account, and one of each browser that is not logged in.
type cart struct {
	opened int64 // when the first thing was put in
	last   int64 // when it last changed
	number uint32
	n      uint8
	lines  [cartLinesMax]cartLine
}

type cartLine struct {
	product  uint16
	quantity uint8
}

func (c *cart) units() int {
	n := 0
	for _, l := range c.lines[:c.n] {
		n += int(l.quantity)
	}
	return n
}

// sums is a person's money in one channel, in cents. Refunds and voids are already taken off.
type sums struct {
	net, gross    int64
	netIdentified int64 // the part of net on events that carry an identifier of the person
	orders        uint32
	refunds       uint32 // and voids
}

const accountCart = 0 // index of the account's cart; a device's cart has the device's number plus one

// shopper is what changes about a person.
type shopper struct {
	carts        [1 + devicesMax]cart
	spending     spending
	lastPurchase int64
	busy         int64  // when the last session ends; nobody is in two places at once
	events       uint32 // happened, each counted once
	identified   uint32 // of these, with an identifier that is only this person's
	cartCount    uint32
	seen         slotSet     // identifiers that were on a record
	parent       [slots]slot // a forest over seen: one tree for each set of identifiers that records tie together
	generation   [devicesMax]uint8
	loggedIn     uint8 // a bit for each device
	installed    uint8 // a bit for each device whose app has reported its installation
	signedUp     bool
	known        bool // the retailer has the e-mail address
	optedOut     bool
}

// settle gives the shopper the past that began before the simulation.
func (g *Generator) settle(s *shopper, p *person) {
	for i := range s.parent {
		s.parent[i] = slot(i)
	}
	r := rng{mix(p.seed, 7)}
	s.signedUp = p.registers && (p.household >= 0 || r.chance(0.5))
	s.known = s.signedUp || r.chance(0.1)
	s.installed = uint8(r.below(1 << devicesMax))
}

func (s *shopper) root(i slot) slot {
	for s.parent[i] != i {
		s.parent[i] = s.parent[s.parent[i]]
		i = s.parent[i]
	}
	return i
}

// link notes that identifiers were on one record. A till maker's customer number joins the first set that it is seen with
// but ties no sets together, since readers need not understand it.
func (s *shopper) link(set slotSet) {
	first := slots
	for i := slot(0); i < slots; i++ {
		if set&^weakSlots&(1<<i) == 0 {
			continue
		}
		if first == slots {
			first = s.root(i)
		}
		s.parent[s.root(i)] = first
	}
	for i := slotPosShopify; i < slots && first != slots; i++ {
		if set&weakSlots&(1<<i) != 0 && s.seen&(1<<i) == 0 {
			s.parent[i] = first
		}
	}
	s.seen |= set
}

// owner is the identifier that a cart belongs to.
func (s *shopper) owner(cart int) slot {
	if cart == accountCart {
		return slotUser
	}
	return anonymousSlot(cart-1, s.generation[cart-1])
}

// openCart returns the cart that a session with these identifiers may touch, or nil.
// A second cart within one set of tied identifiers is not begun: a reader could not keep the two apart.
func (s *shopper) openCart(index int) *cart {
	c := &s.carts[index]
	if c.n > 0 {
		return c
	}
	for other := range s.carts {
		if other != index && s.carts[other].n > 0 && s.root(s.owner(other)) == s.root(s.owner(index)) {
			return nil
		}
	}
	return c
}

// spending is money by channel.
type spending [channels]sums

// add books an order, or a refund with negative amounts.
func (s *spending) add(ch channel, a amounts, identified bool) {
	sum := &s[ch]
	sum.net += a.net
	sum.gross += a.gross
	if identified {
		sum.netIdentified += a.net
	}
	if a.net < 0 {
		sum.refunds++
	} else {
		sum.orders++
	}
}

func (a amounts) negated() amounts {
	return amounts{-a.subtotal, -a.discount, -a.tax, -a.shipping, -a.net, -a.gross}
}
