package score

import (
	"github.com/dchest/siphash"

	"github.com/seamline/seamline/schemas"
)

// update folds one event into its leaf. It gives the leaf whose order the event changed, 0 for none, and what changed of the event's
// person.
func (s *Stage) update(b *schemas.Batch, e *schemas.Event) (owner uint32, changed schemas.Fields) {
	if !s.hasNews {
		s.hasNews, s.unsaved.models = true, true
	}
	if s.learn(e) {
		return 0, 0
	}
	s.enrich(b, e)
	owner = s.trade(e)
	if e.Leaf == 0 {
		return owner, 0
	}
	changed = schemas.FieldsSeen | schemas.FieldsScores
	l := s.leaf(e.Leaf)
	if e.OrderSign() != 0 {
		changed |= schemas.FieldsOrders | schemas.FieldsCart | schemas.FieldsBuying // a sale closes the cart
		if e.Type == schemas.TypeOrder {
			s.orderIn(l, e)
		}
	}
	c := &l.channels[e.Channel]
	c.events++
	if c.first == 0 || e.Time < c.first {
		c.first = e.Time
	}
	c.last = max(c.last, e.Time)
	if s.stayOn(b, l, e) {
		changed |= schemas.FieldsSessions
	}
	l.readFor(e)
	s.tastes(l, e)
	changed |= s.consents(l, e)
	s.belong(l, e)
	changed |= l.live(e)
	return owner, changed | s.happen(l, e)
}

// stayOn notes an event in the visits of its leaf, and, on web and app, in the sessions of its device. It tells whether the number of
// sessions is another than before.
func (s *Stage) stayOn(b *schemas.Batch, l *leaf, e *schemas.Event) bool {
	switch e.Channel {
	case schemas.ChannelWeb, schemas.ChannelApp:
		device := s.deviceKey(e)
		s.sessionize(b, l, e, device)
		counts := s.visit(l, device, e)
		if at := s.observe(l, e, device); at != nil && e.Type == schemas.TypeProductView {
			if sku := s.skus.of(e.SKU); sku != 0 {
				s.viewedInSession(at, sku)
			}
		}
		return counts
	case schemas.ChannelStore, schemas.ChannelSocial, schemas.ChannelCall:
		s.visit(l, 0, e)
	default:
		if e.Type == schemas.TypeMessageClick && !e.Machine {
			s.visit(l, 0, e)
		}
	}
	return false
}

// happen folds what only events of some types say.
func (s *Stage) happen(l *leaf, e *schemas.Event) schemas.Fields {
	switch e.Type {
	case schemas.TypeProductView:
		l.productViews++
		return schemas.FieldsViews
	case schemas.TypeSearch:
		l.searches++
		return schemas.FieldsSearches
	case schemas.TypeCartAdd, schemas.TypeCartRemove:
		s.cart(e, l)
		s.changeCase(l, e)
		return schemas.FieldsCart
	case schemas.TypeCheckoutStart, schemas.TypeCheckoutStep:
		l.checkout = max(l.checkout, e.Time)
		return schemas.FieldsCheckout
	case schemas.TypeSurveyAnswer:
		s.answer(l, e)
		return schemas.FieldsAnswers
	}
	return l.message(e)
}

// message counts what happened to a message.
func (l *leaf) message(e *schemas.Event) schemas.Fields {
	switch e.Type {
	case schemas.TypeMessageSent:
		l.email.sent++
	case schemas.TypeMessageDelivered:
		l.email.delivered++
	case schemas.TypeMessageOpen:
		count(e, &l.email.opens, &l.email.machineOpens, &l.email.lastOpen)
	case schemas.TypeMessageClick:
		count(e, &l.email.clicks, &l.email.machineClicks, &l.email.lastClick)
	case schemas.TypeMessageBounce:
		l.email.bounces++
	case schemas.TypeMessageUnsubscribe:
		l.email.unsubscribes++
	case schemas.TypeMessageComplaint:
		l.email.complaints++
	default:
		return 0
	}
	return schemas.FieldsMessages
}

// count counts an open or click as a person's or as a machine's.
func count(e *schemas.Event, person, machine *uint32, last *schemas.Time) {
	if e.Machine {
		*machine++
		return
	}
	*person++
	*last = max(*last, e.Time)
}

// leaf gives the state of a leaf and marks it changed.
func (s *Stage) leaf(i uint32) *leaf {
	l := s.leafAt(i)
	if !l.unsaved {
		l.unsaved = true
		s.unsaved.leaves = append(s.unsaved.leaves, i)
	}
	return l
}

func (s *Stage) leafAt(i uint32) *leaf {
	s.leaves.Extend(int(i) + 1)
	return s.leaves.At(i)
}

// Keys of the hashes below. They are part of the stored format.
const hashKey0, hashKey1 = 0x7365616d6c696e65, 0x73636f72652d6964

func hash(a, b string) uint64 {
	var text [256]byte // most are shorter
	return siphash.Hash(hashKey0, hashKey1, append(append(append(append(text[:0], a...), 0), b...), 0))
}
