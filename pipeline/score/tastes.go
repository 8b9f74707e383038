package score

import "github.com/seamline/seamline/schemas"

// tastes notes what an event tells about where the person goes, what they like, and how they answer to messages.
func (s *Stage) tastes(l *leaf, e *schemas.Event) {
	o := &s.people.events
	switch {
	case e.Type >= schemas.TypeMessageSent && e.Type <= schemas.TypeMessageComplaint:
		s.messageTaste(l, e)
		return
	case e.Channel == schemas.ChannelWeb || e.Channel == schemas.ChannelApp || e.Channel == schemas.ChannelStore || e.Channel == schemas.ChannelSocial || e.Channel == schemas.ChannelCall:
		o.Browse[e.Channel]++
	default:
		return
	}
	switch e.Type {
	case schemas.TypeProductView, schemas.TypeProductClick, schemas.TypeWishlistAdd:
		s.interest(l, e, viewWeight)
	case schemas.TypeCartAdd:
		s.interest(l, e, cartWeight)
	case schemas.TypeOrder:
		s.purchase(l, e)
	default:
		return
	}
	s.changeTastes(l, e.Leaf)
}

// interest notes that the person looked at a product, or put it into the cart.
func (s *Stage) interest(l *leaf, e *schemas.Event, weight uint32) {
	category, brand := "", ""
	if len(e.Items) > 0 {
		category, brand = e.Items[0].Category, e.Items[0].Brand
	}
	c := s.like(l, category, brand, e.Time, weight)
	sku := s.skus.of(e.SKU)
	if sku == 0 {
		return
	}
	s.noteRecent(&l.viewed, sku, e.Time)
	p := s.product(sku)
	p.weight += uint64(weight)
	if c != 0 {
		p.category = c
	}
	s.changeProduct(sku, p)
}

// purchase notes what the person bought, line by line.
func (s *Stage) purchase(l *leaf, e *schemas.Event) {
	o := &s.people.events
	o.Buy[e.Channel]++
	for i := range e.Items {
		it := &e.Items[i]
		c := s.like(l, it.Category, it.Brand, e.Time, purchaseWeight)
		o.Lines++
		if it.Discount > 0 {
			o.Promoted++
		}
		sku := s.skus.of(it.SKU)
		if sku == 0 {
			continue
		}
		s.noteRecent(&l.bought, sku, e.Time)
		if c != 0 {
			p := s.product(sku)
			p.category = c
			s.changeProduct(sku, p)
		}
	}
}

// messageTaste notes how the person answers to messages. What a machine did leaves no trace.
func (s *Stage) messageTaste(l *leaf, e *schemas.Event) {
	o := &s.people.events
	isEmail := e.Channel == schemas.ChannelEmail
	switch {
	case e.Machine:
		return
	case e.Type == schemas.TypeMessageSent:
		s.count(l, cellKey(kindHour, hourOfWeek(e.Time)), 1)
		o.HourSends[hourOfWeek(e.Time)]++
		if !isEmail {
			s.count(l, cellKey(kindMessages, uint32(e.Channel)), 0)
		} else {
			s.weigh(l, cellKey(kindSent, 0), e.Time, 1)
			o.Sent++
		}
	case e.Type == schemas.TypeMessageClick:
		s.count(l, cellKey(kindHour, hourOfWeek(e.Time)), 0)
		o.HourClicks[hourOfWeek(e.Time)]++
		o.Respond[e.Channel]++
		if isEmail {
			s.weigh(l, cellKey(kindClick, 0), e.Time, 1)
			o.Clicks++
		}
	case e.Type == schemas.TypeMessageOpen && isEmail:
		s.weigh(l, cellKey(kindOpen, 0), e.Time, 1)
		o.Opens++
	default:
		return
	}
	s.changeTastes(l, e.Leaf)
}
