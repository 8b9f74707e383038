package shoppers

import "strconv"

// slot names one identifier of a person. Slots are small numbers so that a person's identifiers fit a bit set.
type slot uint8

const (
	devicesMax     = 3
	generationsMax = 4 // how often a browser may lose its cookie in the simulation

	slotUser slot = iota - 2
	slotEmail
	slotEmailSecond
	slotPhone
	slotLoyalty
	slotCard
	slotCardSecond
	slotDevice                                                 // one for each device
	slotAnonymous  = slotDevice + devicesMax                   // one for each device and generation
	slotPosShopify = slotAnonymous + devicesMax*generationsMax // the customer number that a till maker gives
	slotPosSquare  = slotPosShopify + 1
	slotPosLight   = slotPosShopify + 2
	slots          = slotPosShopify + 3
)

// slotSet is a set of slots.
type slotSet uint32

func setOf(all ...slot) slotSet {
	var s slotSet
	for _, one := range all {
		s |= 1 << one
	}
	return s
}

// weakSlots are the numbers that till makers give to customers. Readers need not understand them.
const weakSlots = slotSet(1<<slotPosShopify | 1<<slotPosSquare | 1<<slotPosLight)

// core tells whether the set has an identifier that every reader understands.
func (s slotSet) core() bool { return s&^weakSlots != 0 }

func anonymousSlot(device int, generation uint8) slot {
	return slotAnonymous + slot(device*generationsMax) + slot(generation)
}

var slotNamespaces = [slots]string{
	slotUser: "user_id", slotEmail: "email", slotEmailSecond: "email", slotPhone: "phone", slotLoyalty: "loyalty_id",
	slotCard: "card", slotCardSecond: "card",
	slotDevice: "device_id", slotDevice + 1: "device_id", slotDevice + 2: "device_id",
	slotPosShopify: "pos_customer_id", slotPosSquare: "pos_customer_id", slotPosLight: "pos_customer_id",
}

func (s slot) namespace() string {
	if name := slotNamespaces[s]; name != "" {
		return name
	}
	return "anonymous_id"
}

// form is the kind of a device.
type form uint8

const (
	formPhone form = iota
	formLaptop
	formTablet
)

// device is one thing to shop with. A device runs either the app or the web shop.
type device struct {
	form form
	app  bool
	skew int64 // milliseconds that its clock is ahead
	seed uint64
}

// region is where a person lives.
type region uint8

const (
	regionUS region = iota
	regionGB
	regionDE
	regionAT
)

var regions = [...]struct {
	code, locale, zone string
	offset             int64 // milliseconds ahead of UTC, without summer time
}{
	{"US", "en-US", "America/New_York", -5 * 3600e3},
	{"GB", "en-GB", "Europe/London", 0},
	{"DE", "de-DE", "Europe/Berlin", 3600e3},
	{"AT", "de-AT", "Europe/Vienna", 3600e3},
}

// person is what never changes about a shopper. It is derived from the seed whenever it is needed and not stored.
type person struct {
	index     int
	seed      uint64
	region    region
	number    int // telephone number within the region
	devices   [devicesMax]device
	deviceN   int
	registers bool // has or will have an account
	loyal     bool
	cards     int
	second    bool // uses a second address in stores
	business  bool
	dead      bool // the address bounces
	household int  // shares a tablet with its household, or -1
	homeStore int
	activity  float64
}

const (
	householdSize = 3
	gbNumbers     = 1000 // London numbers that the British regulator keeps for drama
	deNumbers     = 3000 // the same in Berlin, Frankfurt and Hamburg
	atNumbers     = 100_000
)

func (g *Generator) person(index int) person {
	seed := mix(g.cfg.Seed, uint64(index))
	r := rng{seed}
	p := person{index: index, seed: seed, household: -1, number: index}
	p.region, p.number = regionOf(index)
	p.registers = r.chance(g.cfg.RegisterShare)
	p.loyal = r.chance(g.cfg.LoyaltyShare)
	p.cards = 1 + r.below(2)
	p.second = r.chance(0.1)
	p.business = r.chance(0.02)
	p.dead = r.chance(0.01)
	p.homeStore = r.below(g.cfg.Stores)
	p.activity = 0.2 + 0.8*r.exponential(1)
	p.deviceN = 1 + r.below(devicesMax)
	for i := range p.deviceN {
		d := device{form: form(i), seed: mix(seed, 100+uint64(i))}
		d.app = d.form == formPhone && r.chance(0.5) || d.form == formTablet && r.chance(0.25)
		if r.chance(g.cfg.ClockSkewShare) {
			d.skew = r.between(-6*3600e3, 6*3600e3)
		}
		p.devices[i] = d
	}
	if home := index / householdSize; fraction(mix(g.cfg.Seed, 1<<40+uint64(home))) < g.cfg.SharedDeviceShare {
		// Whoever uses a shared tablet has an account: otherwise nobody could tell the persons apart.
		p.household, p.registers = home, true
	}
	return p
}

// regionOf spreads persons over regions, and gives each a number that nobody else in the region has.
// When a region's reserved numbers are used up, further persons live in the US.
func regionOf(index int) (region, int) {
	turn, place := index/20, index%20
	switch {
	case place >= 16 && place < 18 && turn*2+place-16 < gbNumbers:
		return regionGB, turn*2 + place - 16
	case place == 18 && turn < deNumbers:
		return regionDE, turn
	case place == 19 && turn < atNumbers:
		return regionAT, turn
	}
	return regionUS, index
}

var usAreas = [...]int{201, 202, 203, 205, 206, 207, 208, 209, 210, 212, 213, 214, 215, 216, 217, 218, 219, 224, 225, 228, 229, 231, 234,
	239, 240, 248, 251, 252, 253, 254, 256, 260, 262, 267, 269, 270, 276, 281, 301, 302, 303, 304, 305, 307, 308, 309, 310, 312, 313, 314,
	315, 316, 317, 318, 319, 320, 321, 323, 325, 330, 331, 334, 336, 337, 339, 347, 351, 352, 360, 361, 386, 401, 402, 404, 405, 406, 407,
	408, 409, 410, 412, 413, 414, 415, 417, 419, 423, 424, 425, 430, 432, 434, 435, 440, 443, 469, 478, 479, 480, 484, 501, 502, 503, 504,
	505, 507, 508, 509, 510, 512, 513, 515, 516, 517, 518, 520, 530, 540, 541, 551, 559, 561, 562, 563, 567, 570, 571, 573, 574, 575, 580,
	585, 586, 601, 602, 603, 605, 606, 607, 608, 609, 610, 612, 614, 615, 616, 617, 618, 619, 620, 623, 626, 630, 631, 636, 641, 646, 650,
	651, 660, 661, 662, 678, 682, 701, 702, 703, 704, 706, 707, 708, 712, 713, 714, 715, 716, 717, 718, 719, 720, 724, 727, 731, 732, 734}

// appendPhone appends the number in E.164.
func (p *person) appendPhone(b []byte) []byte {
	switch p.region {
	case regionGB:
		return appendPadded(append(b, "+442079460"...), int64(p.number), 3)
	case regionDE:
		blocks := [3]string{"+493023125", "+496990009", "+494066969"}
		return appendPadded(append(b, blocks[p.number/1000]...), int64(p.number%1000), 3)
	case regionAT:
		return appendPadded(append(b, "+437209"...), int64(p.number), 5)
	}
	b = strconv.AppendInt(append(b, "+1"...), int64(usAreas[p.number/10000%len(usAreas)]), 10)
	return appendPadded(append(b, "555"...), int64(p.number%10000), 4)
}

// appendPhoneSpoken appends the number as people and tills write it: only US numbers come without a country code,
// since US is the region that a reader assumes.
func (p *person) appendPhoneSpoken(b []byte, style int) []byte {
	var scratch [20]byte
	e := p.appendPhone(scratch[:0])
	if p.region != regionUS {
		if style%2 == 0 {
			return append(b, e...)
		}
		b = append(append(b, e[:3]...), ' ')
		b = append(append(b, e[3:7]...), ' ')
		return append(b, e[7:]...)
	}
	area, exchange, number := e[2:5], e[5:8], e[8:]
	switch style % 4 {
	case 0:
		return append(b, e...)
	case 1:
		b = append(append(append(b, '('), area...), ") "...)
	case 2:
		b = append(append(b, area...), '-')
	default:
		b = append(append(append(b, "+1 "...), area...), ' ')
	}
	b = append(append(b, exchange...), '-')
	return append(b, number...)
}

var mailHosts = [4]string{"example.com", "example.org", "example.net", "example.test"}

// append appends the person's value of a slot: the normalised form, which is also what is usually sent.
func (p *person) append(b []byte, s slot) []byte {
	own := mix(p.seed, 200+uint64(s))
	switch {
	case s == slotUser:
		return appendHex(append(b, "u_"...), own, 12)
	case s == slotEmail || s == slotEmailSecond:
		b = strconv.AppendInt(append(b, "customer-"...), int64(p.index), 10)
		b = appendHex(append(b, '.'), p.seed, 6)
		if s == slotEmailSecond {
			b = append(b, ".alt"...)
		}
		return append(append(b, '@'), mailHosts[own%4]...)
	case s == slotPhone:
		return p.appendPhone(b)
	case s == slotLoyalty:
		return appendPadded(append(b, "LC"...), scattered(p, 1e10), 10)
	case s == slotCard || s == slotCardSecond:
		return appendToken(append(b, "sq-1-"...), own, 22)
	case s >= slotDevice && s < slotAnonymous:
		if p.devices[s-slotDevice].form == formTablet {
			return appendHex(b, own, 16) // as Android writes it
		}
		start := len(b)
		b = appendUUID(b, own)
		for i := start; i < len(b); i++ {
			if b[i] >= 'a' {
				b[i] -= 'a' - 'A' // as iOS writes it
			}
		}
		return b
	case s == slotPosShopify:
		return appendPadded(append(b, '7'), scattered(p, 1e12), 12)
	case s == slotPosSquare:
		return appendToken(b, own, 26)
	}
	return appendUUID(b, own)
}

// scattered returns a number below limit that no other person of the run has. limit is a power of ten.
func scattered(p *person, limit int64) int64 {
	return (int64(p.index) + 1) * 7_901_473 % limit
}

func appendHex(b []byte, n uint64, digits int) []byte {
	for i := range digits {
		b = append(b, hexDigits[n>>(60-4*i)&15])
	}
	return b
}

// appendShared appends the anonymousId of a household's tablet.
func (g *Generator) appendShared(b []byte, household int) []byte {
	return appendUUID(b, mix(g.cfg.Seed, 1<<41+uint64(household)))
}

// appendKiosk appends the anonymousId of a store's kiosk.
func appendKiosk(b []byte, store int) []byte {
	return append(appendPadded(append(b, "kiosk-store-"...), int64(store+1), 2), "-1"...)
}

// appendStore appends a store id.
func appendStore(b []byte, store int) []byte {
	return appendPadded(append(b, "store-"...), int64(store+1), 2)
}

// appendBot appends the anonymousId of a crawler.
func (g *Generator) appendBot(b []byte, bot int) []byte {
	return appendUUID(b, mix(g.cfg.Seed, 1<<42+uint64(bot)))
}
