package shoppers

// filler is what somebody or something puts into a field so that it is not empty. It names nobody.
type filler uint8

const (
	fillerNone    filler = iota
	fillerEmail          // a shop's own address, or one that was made up
	fillerPhone          // the same digit again and again
	fillerLoyalty        // the cashier's own card, for a customer who has none at hand
)

// madeUp are addresses that people type instead of theirs. Some stand in every list of such addresses, and some in none.
var madeUp = [...]string{"none@none.com", "noemail@noemail.com", "test@test.com", "nomail@nomail.example", "x@x.example", "asdf@asdf.example"}

const (
	fillerNumber = "0000000"
	zeroDevice   = "00000000-0000-0000-0000-000000000000" // of phones that may not be tracked
)

// fills tells whether a thing with this seed gets a filler. Its randomness is its own: without fillers, a seed's traffic is what it was before
// there were any.
func (g *Generator) fills(seed uint64) (rng, bool) {
	r := rng{mix(seed, 21)}
	return r, r.chance(g.cfg.FillerShare)
}

// appendFiller appends a value that means nobody, and lists it.
func (g *Generator) appendFiller(b []byte, f filler, store int, seed uint64) []byte {
	start, namespace := len(b), "email"
	switch pick := mix(seed, 22); {
	case f == fillerPhone:
		namespace, b = "phone", append(b, fillerNumber...)
	case f == fillerLoyalty:
		namespace, b = "loyalty_id", appendPadded(append(b, "LC00STAFF"...), int64(store+1), 2)
	case pick%3 == 0:
		b = append(appendStore(b, store), "@shop.example.com"...)
	default:
		b = append(b, madeUp[pick>>8%uint64(len(madeUp))]...)
	}
	g.book.placeholders[[2]string{namespace, string(b[start:])}] = true
	return b
}

// fillReceipt puts a filler in the place of what the customer did not want to say.
func (g *Generator) fillReceipt(o *sale) {
	r, ok := g.fills(o.order)
	if !ok {
		return
	}
	switch pos := posOf(o.store); {
	case pos == posSquare, pos == posShopify && !o.has(slotPosShopify), pos == posLightspeed && !o.has(slotPosLight):
		return // no field for it
	case pos == posSeamline && r.chance(0.4):
		o.filler = fillerLoyalty
		o.set &^= setOf(slotLoyalty)
	case r.chance(0.7):
		o.filler = fillerEmail
		o.set &^= setOf(slotEmail, slotEmailSecond)
	default:
		o.filler = fillerPhone
		o.set &^= setOf(slotPhone)
	}
}

// appendEmail appends the address on the receipt.
func (o *sale) appendEmail(g *Generator, p *person, b []byte) []byte {
	if o.filler == fillerEmail {
		return g.appendFiller(b, fillerEmail, o.store, o.order)
	}
	return p.append(b, o.email)
}

// appendLoyalty appends the number of the card that was held to the reader.
func (o *sale) appendLoyalty(g *Generator, p *person, b []byte) []byte {
	if o.filler == fillerLoyalty {
		return g.appendFiller(b, fillerLoyalty, o.store, o.order)
	}
	return p.append(b, slotLoyalty)
}

// hasEmail tells whether an address is on the receipt.
func (o *sale) hasEmail() bool { return o.has(o.email) || o.filler == fillerEmail }

// hasPhone tells whether a telephone number is on the receipt.
func (o *sale) hasPhone() bool { return o.has(slotPhone) || o.filler == fillerPhone }

// fillContact decides whether a visitor makes something up for an identify call. On a shared tablet only a login tells who acts, so
// there nobody does without one.
func (s *session) fillContact() filler {
	r, ok := s.g.fills(s.message)
	if !ok || s.p.household >= 0 && !s.account {
		return fillerNone
	}
	if !s.zeroed {
		s.g.book.fillers++
	}
	if r.chance(0.7) {
		return fillerEmail
	}
	return fillerPhone
}
