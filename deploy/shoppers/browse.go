package shoppers

// Chances in a session. They make a shop in which about one visit in eleven ends with an order.
const (
	sharedTabletChance = 0.4
	cookieLossChance   = 0.01
	logInChance        = 0.35
	signUpChance       = 0.12
	logOutChance       = 0.05
	adChance           = 0.2
	stepsMean          = 5.5
	stepsMax           = 40
	checkoutChance     = 0.25
)

const (
	botCount = 2
	botPause = 60 * 60_000 // milliseconds between the visits of a crawler
)

// runSession simulates one visit of the web shop or one use of the app.
func (g *Generator) runSession(v visitPlan, r rng) {
	where, number := placeOwn, r.below(v.p.deviceN)
	switch {
	case v.touch != nil:
	case r.chance(g.cfg.KioskShare):
		where, number = placeKiosk, v.p.homeStore
	case v.p.household >= 0 && r.chance(sharedTabletChance):
		where, number = placeShared, 0
	default:
		if d := v.p.devices[number]; !d.app && r.chance(adChance) {
			v.touch = &ads[r.below(len(ads))]
		}
	}
	if where == placeOwn {
		v.loseCookie(number, &r)
	}
	s := g.begin(v, where, number, r)
	s.arrive(v.touch)
	s.identifyMaybe()
	if where != placeKiosk {
		s.chooseCart()
	}
	steps := min(2+int(s.r.exponential(stepsMean)), stepsMax)
	if where == placeKiosk {
		steps = min(steps, 5)
	}
	for range steps {
		s.step()
	}
	if s.cart >= 0 && s.s.carts[s.cart].n > 0 && s.r.chance(checkoutChance) {
		s.checkout()
	}
	s.leave()
	s.flush()
	v.s.busy = s.at
}

// loseCookie now and then gives the browser a new anonymousId, unless something hangs on the old one.
func (v *visitPlan) loseCookie(number int, r *rng) {
	lost := r.chance(cookieLossChance)
	loggedIn := v.s.loggedIn&(1<<number) != 0
	if lost && !loggedIn && !v.p.devices[number].app && v.s.carts[number+1].n == 0 && v.s.generation[number] < generationsMax-1 {
		v.s.generation[number]++
	}
}

var ads = [...]touch{
	{"google", "cpc", "brand-search", "text-1"},
	{"google", "cpc", "shopping-feed", ""},
	{"meta", "paid_social", "autumn-lookalike", "video-b"},
	{"newsletter-partner", "referral", "autumn-swap", ""},
}

// arrive shows the first page.
func (s *session) arrive(t *touch) {
	if s.place == placeOwn && s.device.app && s.s.installed&(1<<s.number) == 0 {
		s.s.installed |= 1 << s.number
		w := s.open(kindInstalled, "track", "Application Installed")
		s.properties(w)
		w.raw(`"version":"7.4.1","build":"741"`)
		s.close(`}}`)
	}
	switch {
	case t == nil && s.place == placeOwn && s.r.chance(0.3):
		s.referrer = "https://www.google.com/"
	case t != nil && t.medium == "cpc":
		s.referrer = "https://www.google.com/"
	}
	s.visit("/", "Home")
	if s.place == placeOwn && s.r.chance(0.15) {
		s.promotion()
	}
}

// identifyMaybe logs in, signs up, or goes on as somebody unknown.
func (s *session) identifyMaybe() {
	switch s.place {
	case placeOwn:
		if s.s.loggedIn&(1<<s.number) != 0 {
			s.logIn()
			return
		}
		if s.s.signedUp && s.r.chance(logInChance) {
			s.signIn()
		} else if s.p.registers && !s.s.signedUp && s.r.chance(signUpChance) {
			s.signUp()
		}
	case placeShared:
		// What happens before is nobody's: the tablet cannot tell who holds it.
		for s.r.chance(0.3) {
			s.viewProduct(pick(&s.r, -1))
		}
		s.signIn()
	case placeKiosk:
		if s.s.signedUp && s.r.chance(0.3) {
			s.signIn()
		}
	}
}

// leave logs out where others would come after, and elsewhere now and then.
func (s *session) leave() {
	if s.account && (s.place == placeShared || s.place == placeKiosk || s.r.chance(logOutChance)) {
		w := s.open(kindSignedOut, "track", "Signed Out")
		s.properties(w)
		s.username(w)
		s.close(`}}`)
		s.logOut()
	}
}

// step is one thing that a visitor does.
func (s *session) step() {
	choice := s.r.float()
	switch {
	case choice < 0.20:
		s.viewList()
	case choice < 0.28:
		s.search()
	case choice < 0.60:
		s.viewProduct(pick(&s.r, -1))
	case choice < 0.66:
		s.wish(kindWishAdded, "Product Added to Wishlist")
	case choice < 0.68:
		s.wish(kindWishRemoved, "Product Removed from Wishlist")
	case choice < 0.69:
		s.shareProduct()
	case choice < 0.70:
		s.review()
	case choice < 0.72:
		s.locateStore()
	case choice < 0.73:
		s.promotion()
	case s.cart < 0:
		s.viewProduct(pick(&s.r, s.r.below(len(categories))))
	case choice < 0.80:
		s.addToCart()
	case choice < 0.82:
		s.removeFromCart()
	case choice < 0.86:
		s.viewCart()
	default:
		s.viewProduct(pick(&s.r, -1))
	}
}

// runBot simulates a crawler: it reads product pages fast, and has no person.
func (g *Generator) runBot(t task) {
	s := g.begin(visitPlan{at: t.at}, placeBot, int(t.ref), rng{mix(mix(g.cfg.Seed, 1<<46+t.ref), uint64(t.at))})
	s.shape, s.groupMax = shapeSingle, 1
	for range 5 + s.r.below(10) {
		product := &g.catalog[s.r.below(catalogSize)]
		s.visit(product.path, product.name)
		s.at -= (s.at - t.at) / 2 // a crawler does not dwell
	}
	s.flush()
}

// chooseCart finds the cart that the session may use.
func (s *session) chooseCart() {
	s.cart = -1
	index := accountCart
	if !s.account {
		if s.place != placeOwn {
			return
		}
		index = s.number + 1
	}
	if s.s.openCart(index) != nil {
		s.cart = index
	}
}

// joinCarts moves what lies in the browser's cart to the account's on logging in. It tells whether that is possible:
// nobody is made to log in with two full carts.
func (s *session) joinCarts(really bool) bool {
	if s.place != placeOwn {
		return true
	}
	mine, own := &s.s.carts[accountCart], &s.s.carts[s.number+1]
	if own.n == 0 {
		return true
	}
	if mine.n > 0 {
		return false
	}
	if really {
		*mine, *own = *own, cart{}
	}
	return true
}
