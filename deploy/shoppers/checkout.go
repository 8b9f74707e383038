package shoppers

// cartID writes the id of the cart in use.
func (s *session) cartID(w *writer) {
	c := &s.s.carts[s.cart]
	w.raw(`"cart_id":"cart-`)
	w.b = appendHex(w.b, mix(s.p.seed, 1<<20+uint64(c.number)), 12)
	w.raw(`"`)
}

func (s *session) addToCart() {
	c := &s.s.carts[s.cart]
	index := pick(&s.r, -1)
	s.viewProduct(index)
	if c.n == 0 {
		if s.s.openCart(s.cart) == nil {
			s.cart = -1
			return
		}
		s.s.cartCount++
		c.number, c.opened = s.s.cartCount, s.at
	}
	place := -1
	for i, l := range c.lines[:c.n] {
		if int(l.product) == index {
			place = i
		}
	}
	if place < 0 && c.n == cartLinesMax {
		return
	}
	if place < 0 {
		place = int(c.n)
		c.lines[place] = cartLine{product: uint16(index)}
		c.n++
	}
	quantity := 1 + s.r.below(8)/7
	c.lines[place].quantity += uint8(quantity)
	s.cartEvent(kindAdded, "Product Added", index, quantity)
}

// cartEvent reports that units of a product came into the cart in use or left it.
func (s *session) cartEvent(k kind, name string, index, quantity int) {
	s.s.carts[s.cart].last = s.at
	w := s.open(k, "track", name)
	s.properties(w)
	s.cartID(w)
	w.raw(`,`)
	s.productMembers(w, index)
	w.raw(`,"quantity":`)
	w.int(int64(quantity))
	w.raw(`,"currency":"`)
	w.raw(s.g.cfg.Currency)
	w.raw(`"`)
	s.close(`}}`)
	s.pause(15)
}

// removeFromCart takes one product out, with all its units.
func (s *session) removeFromCart() {
	c := &s.s.carts[s.cart]
	if c.n == 0 {
		return
	}
	i := s.r.below(int(c.n))
	gone := c.lines[i]
	copy(c.lines[i:], c.lines[i+1:c.n])
	c.n--
	s.cartEvent(kindRemoved, "Product Removed", int(gone.product), int(gone.quantity))
}

func (s *session) viewCart() {
	c := &s.s.carts[s.cart]
	if c.n == 0 {
		return
	}
	s.visit("/cart", "Cart")
	w := s.open(kindCartViewed, "track", "Cart Viewed")
	s.properties(w)
	s.cartID(w)
	w.raw(`,`)
	s.orderProducts(w, s.cartLines(0))
	s.close(`}}`)
	s.pause(15)
}

// cartLines turns the cart in use into order lines, with a discount.
func (s *session) cartLines(discountPercent int64) []line {
	c := &s.s.carts[s.cart]
	lines := make([]line, c.n)
	for i, l := range c.lines[:c.n] {
		price := s.g.catalog[l.product].price * int64(l.quantity)
		lines[i] = line{l.product, l.quantity, int32(price * discountPercent / 100)}
	}
	return lines
}

func (s *session) orderProducts(w *writer, lines []line) {
	w.raw(`"products":[`)
	for i, l := range lines {
		if i > 0 {
			w.raw(`,`)
		}
		w.raw(`{`)
		s.productMembers(w, int(l.product))
		w.raw(`,"quantity":`)
		w.int(int64(l.quantity))
		if l.discount > 0 {
			w.raw(`,"discount":`)
			w.cents(int64(l.discount))
		}
		w.raw(`}`)
	}
	w.raw(`]`)
}

const (
	freeShippingCents = 5000
	shippingCents     = 495
	couponPercent     = 10
)

// checkout takes the cart in use towards an order; some give up on the way.
func (s *session) checkout() {
	s.visit("/checkout", "Checkout")
	order := mix(s.p.seed, 1<<21+uint64(s.s.carts[s.cart].number))
	discount := s.coupon(order)
	lines := s.cartLines(discount)
	pickup := s.r.chance(0.15)
	sum := s.g.sum(lines, 0)
	if !pickup && sum.net < freeShippingCents {
		sum = s.g.sum(lines, shippingCents)
	}
	sale := sale{order: order, lines: lines, sum: sum, store: -1, coupon: discount > 0}
	if pickup {
		sale.store = s.p.homeStore
	}
	s.s.carts[s.cart].last = s.at
	s.orderEvent(kindCheckoutStarted, "Checkout Started", &sale)
	s.checkoutStep(1, pickup, order)
	if s.r.chance(0.2) {
		return
	}
	if !s.account {
		s.nameYourself()
	}
	s.checkoutStep(2, pickup, order)
	if s.cart < 0 || s.r.chance(0.1) {
		return
	}
	s.order(&sale)
}

// nameYourself makes a guest log in or leave an address.
func (s *session) nameYourself() {
	if s.s.signedUp && s.r.chance(0.7) {
		s.signIn()
		return
	}
	if !s.s.signedUp && s.p.registers && s.r.chance(0.5) {
		s.signUp()
		return
	}
	s.identify(true, s.r.chance(0.5))
}

// coupon tries a code and returns the discount in percent.
func (s *session) coupon(order uint64) int64 {
	choice := s.r.float()
	if choice > 0.25 {
		return 0
	}
	k, name := kindCouponApplied, "Coupon Applied"
	if choice < 0.05 {
		k, name = kindCouponDenied, "Coupon Denied"
	}
	w := s.open(k, "track", name)
	s.properties(w)
	w.raw(`"order_id":"`)
	w.b = appendOrder(w.b, order)
	w.raw(`",`)
	s.cartID(w)
	if k == kindCouponDenied {
		w.raw(`,"coupon_id":"EXPIRED5","coupon_name":"Five off","reason":"Coupon expired"`)
		s.close(`}}`)
		return 0
	}
	w.raw(`,"coupon_id":"SAVE10","coupon_name":"Ten percent off","discount":`)
	w.cents(s.g.sum(s.cartLines(couponPercent), 0).discount)
	s.close(`}}`)
	return couponPercent
}

func (s *session) checkoutStep(step int64, pickup bool, order uint64) {
	for _, k := range [...]kind{kindStepViewed, kindStepCompleted} {
		name := "Checkout Step Viewed"
		if k == kindStepCompleted {
			name = "Checkout Step Completed"
		}
		w := s.open(k, "track", name)
		s.properties(w)
		w.raw(`"checkout_id":"chk-`)
		w.b = appendHex(w.b, order, 12)
		w.raw(`","step":`)
		w.int(step)
		if pickup {
			w.raw(`,"shipping_method":"pickup"`)
		} else {
			w.raw(`,"shipping_method":"standard"`)
		}
		w.raw(`,"payment_method":"card"`)
		s.close(`}}`)
		s.pause(20)
	}
}

// appendOrder appends the id of a web order.
func appendOrder(b []byte, order uint64) []byte { return appendHex(append(b, "W-"...), order, 12) }

// orderEvent writes Checkout Started, Order Completed or Order Refunded.
func (s *session) orderEvent(k kind, name string, o *sale) {
	w := s.open(k, "track", name)
	s.properties(w)
	if k != kindOrderRefunded {
		w.raw(`"checkout_id":"chk-`)
		w.b = appendHex(w.b, o.order, 12)
		w.raw(`",`)
	}
	w.raw(`"order_id":"`)
	w.b = appendOrder(w.b, o.order)
	w.raw(`","affiliation":"`)
	if o.store >= 0 {
		w.b = appendStore(w.b, o.store)
	} else {
		w.raw(`Web Shop`)
	}
	w.raw(`"`)
	if k == kindOrder {
		w.raw(`,"subtotal":`)
		w.cents(o.sum.net)
	}
	if k == kindCheckoutStarted {
		w.raw(`,"value":`)
		w.cents(o.sum.net)
	} else {
		w.raw(`,"total":`)
		w.cents(o.sum.gross)
	}
	w.raw(`,"revenue":`)
	w.cents(o.sum.net)
	w.raw(`,"shipping":`)
	w.cents(o.sum.shipping)
	w.raw(`,"tax":`)
	w.cents(o.sum.tax)
	w.raw(`,"discount":`)
	w.cents(o.sum.discount)
	if o.coupon {
		w.raw(`,"coupon":"SAVE10"`)
	}
	w.raw(`,"currency":"`)
	w.raw(s.g.cfg.Currency)
	w.raw(`",`)
	s.orderProducts(w, o.lines)
	s.close(`}}`)
	s.pause(10)
}

// order completes the order, empties the cart, and plans what may follow.
func (s *session) order(o *sale) {
	ch := channelWeb
	if s.device.app {
		ch = channelApp
	}
	s.visit("/checkout/done", "Thank You")
	s.s.lastPurchase = s.at
	o.at, o.channel, o.device, o.account, o.set = s.at, ch, s.number, s.account, s.set
	s.orderEvent(kindOrder, "Order Completed", o)
	s.g.spent(s.p, ch, o.sum, true)
	s.s.carts[s.cart] = cart{}
	switch {
	case o.store >= 0:
		s.g.follow(taskPickup, s.p, o, s.at+s.r.between(2*3_600_000, 48*3_600_000))
	case s.r.chance(0.05):
		s.g.follow(taskReturn, s.p, o, s.at+s.r.between(2*86_400_000, 12*86_400_000))
	}
}
