package shoppers

import "strconv"

// username writes the name that the person logs in with: the e-mail address.
func (s *session) username(w *writer) {
	w.raw(`"username":"`)
	w.b = s.p.append(w.b, slotUser)
	w.raw(`"`)
}

// signIn logs in to an account that exists.
func (s *session) signIn() {
	if !s.s.signedUp || !s.joinCarts(false) {
		return
	}
	s.joinCarts(true)
	s.visit("/account/login", "Log In")
	s.logIn()
	w := s.open(kindSignedIn, "track", "Signed In")
	s.properties(w)
	s.username(w)
	s.close(`}}`)
	s.identify(true, s.r.chance(0.6))
	if s.rudder && s.r.chance(0.5) {
		s.merge()
	}
	if s.p.business && s.r.chance(0.5) {
		s.group()
	}
	s.chooseCart()
}

// signUp opens an account.
func (s *session) signUp() {
	if !s.joinCarts(false) {
		return
	}
	s.joinCarts(true)
	s.visit("/account/register", "Create Account")
	s.s.signedUp, s.s.known = true, true
	if s.r.chance(0.2) {
		s.alias()
	}
	s.logIn()
	s.identify(true, s.r.chance(0.8))
	w := s.open(kindSignedUp, "track", "Signed Up")
	s.properties(w)
	w.raw(`"type":"`)
	if s.p.business {
		w.raw(`business","email":"`)
	} else {
		w.raw(`individual","email":"`)
	}
	w.b = s.p.append(w.b, slotEmail)
	s.extra = setOf(slotEmail)
	w.raw(`",`)
	s.username(w)
	s.close(`}}`)
	if s.p.business {
		s.group()
	}
	s.chooseCart()
}

// identify reports who the visitor is: an account, or a guest who gives an address at the checkout.
func (s *session) identify(withEmail, withPhone bool) {
	w := s.open(kindIdentify, "identify", "")
	s.traits(w)
	w.raw(`"name":"Customer `)
	w.int(int64(s.p.index))
	w.raw(`"`)
	made := s.fillContact()
	if made == fillerEmail && withEmail {
		w.raw(`,"email":"`)
		w.b = s.g.appendFiller(w.b, made, s.p.homeStore, s.message)
		w.raw(`"`)
	} else if withEmail && s.p.household < 0 && !s.account && s.r.chance(s.g.cfg.PlaceholderShare) {
		s.g.book.placeholder++
		s.writePlaceholder(w, "email", "email", "test@test.com")
	} else if withEmail {
		w.raw(`,"email":"`)
		s.writeEmail(w)
		w.raw(`"`)
		s.extra |= setOf(slotEmail)
		s.s.known = true
	}
	switch {
	case made == fillerPhone:
		w.raw(`,"phone":"`)
		w.b = s.g.appendFiller(w.b, made, s.p.homeStore, s.message)
		w.raw(`"`)
	case withPhone:
		w.raw(`,"phone":"`)
		w.b = s.p.appendPhoneSpoken(w.b, s.r.below(4))
		w.raw(`"`)
		s.extra |= setOf(slotPhone)
	}
	if s.account {
		w.raw(`,"createdAt":"2025-03-0`)
		w.int(int64(1 + s.p.seed%9))
		w.raw(`T10:00:00.000Z"`)
	}
	w.raw(`,"address":{"country":"`)
	w.raw(regions[s.p.region].code)
	w.raw(`","city":"Springfield"}`)
	s.close(`}}`)
	s.pause(5)
}

// writeEmail writes the address, sometimes as careless people type it.
func (s *session) writeEmail(w *writer) { writeEmailLoosely(w, s.p, slotEmail, &s.r) }

func writeEmailLoosely(w *writer, p *person, which slot, r *rng) {
	start := len(w.b)
	style := r.float()
	if style < 0.03 {
		w.raw(" ")
		start++
	}
	w.b = p.append(w.b, which)
	if style < 0.10 {
		w.b[start] = 'C' // of customer
		for i := len(w.b) - 1; w.b[i] != '@'; i-- {
			if w.b[i] >= 'a' && w.b[i] <= 'z' {
				w.b[i] -= 'a' - 'A'
			}
		}
	}
	if style >= 0.02 && style < 0.05 {
		w.raw(" ")
	}
}

// alias says that the account is the visitor before it.
func (s *session) alias() {
	s.plain = true
	w := s.open(kindAlias, "alias", "")
	s.plain = false
	w.raw(`,"previousId":"`)
	w.b = append(w.b, s.anonymous...)
	if !s.account {
		w.raw(`","userId":"`)
		w.b = s.p.append(w.b, slotUser)
	}
	w.raw(`"`)
	s.extra = setOf(slotUser)
	s.writePage(w)
	s.close(`}`)
}

// merge is RudderStack's explicit link between an account and addresses.
func (s *session) merge() {
	w := s.open(kindMerge, "merge", "")
	w.raw(`,"mergeProperties":[{"type":"email","value":"`)
	w.b = s.p.append(w.b, slotEmail)
	w.raw(`"},{"type":"mobile","value":"`)
	w.b = s.p.appendPhone(w.b)
	w.raw(`"}]`)
	s.extra = setOf(slotEmail, slotPhone)
	s.writePage(w)
	s.close(`}`)
}

// group says which company a business buyer buys for.
func (s *session) group() {
	company := strconv.Itoa(s.p.index / 100)
	w := s.open(kindGroup, "group", "")
	w.raw(`,"groupId":"company-` + company + `"`)
	s.traits(w)
	w.raw(`"name":"Company ` + company + `","industry":"Retail","employees":`)
	w.int(int64(10 + s.p.index/100*7%500))
	s.close(`}}`)
}
