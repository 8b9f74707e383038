package clickhouse

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/seamline/seamline/schemas"
)

// builder makes random batches in which nearly every field is set.
type builder struct {
	*rand.Rand
	events int
	months int // that events spread over
	words  int // distinct values of columns with few

	identifiers, positions, sequence uint64
	fits                             uint32
}

var start = schemas.TimeOf(time.Date(2026, 1, 15, 8, 0, 0, 0, time.UTC))

func (r *builder) time() schemas.Time {
	return start + schemas.Time(r.Int64N(int64(r.months)*31*int64(schemas.Day)))
}

// long is a length that is mostly short, and now and then needs three bytes to say.
func (r *builder) long() int {
	if r.IntN(50) == 0 {
		return 20_000
	}
	return 200
}

// text gives a string with everything that a string may hold.
func (r *builder) text(max int) string {
	alphabet := []rune("abcdefghijklmnopqrstuvwxyzäß漢'\"\\\x00\n\t%{}` /🛒")
	var b strings.Builder
	for range r.IntN(max) {
		b.WriteRune(alphabet[r.IntN(len(alphabet))])
	}
	return b.String()
}

func (r *builder) word() string { return fmt.Sprintf("wörd %d", r.IntN(r.words)) }

func (r *builder) bytes(max int) []byte {
	b := make([]byte, r.IntN(max))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func (r *builder) id() (id schemas.ProfileID) {
	for i := range id {
		id[i] = byte(r.Uint32())
	}
	return id
}

// decimal covers the whole range of Decimal(18,4), zero and both signs.
func (r *builder) decimal() schemas.Decimal {
	switch r.IntN(4) {
	case 0:
		return 0
	case 1:
		return schemas.Decimal(r.Int64N(2_000_000) - 1_000_000)
	}
	return schemas.Decimal(r.Int64N(2*999_999_999_999_999_999) - 999_999_999_999_999_999)
}

func (r *builder) batch(number uint64) *schemas.Batch {
	b := &schemas.Batch{Number: number, Now: r.time(), Fixed: r.IntN(2) == 0, Latest: r.time(), Advance: r.time(), Rewind: r.IntN(2) == 0}
	b.Ranges = []schemas.Range{{Topic: "clickstream", Partition: 3, From: r.Int64N(1 << 40), To: 1<<40 + r.Int64N(1<<40)}, {Topic: "pos", Partition: 0, From: 0, To: 1}}
	b.Records = make([]schemas.Record, 1+r.IntN(5))
	for i := range r.events {
		b.Events = append(b.Events, r.event(number, i))
	}
	for i := range r.events / 10 {
		b.Rejects = append(b.Rejects, schemas.Reject{Record: r.record(int64(number)<<32 + int64(i)), Element: r.IntN(1000),
			Reason: schemas.Reasons()[r.IntN(8)], Detail: r.text(30), Value: r.bytes(2 * r.long())})
		b.Dropped = append(b.Dropped, schemas.DroppedElement{Source: "square", Drop: schemas.Drops()[r.IntN(4)]})
	}
	for range r.events / 5 {
		r.identity(b)
		r.person(b)
		r.audience(b)
		r.population(b)
	}
	b.Took = []schemas.StageTook{{Stage: "decode", Nanos: r.Int64N(1e12)}, {Stage: "stitch", Nanos: 999}}
	return b
}

func (r *builder) record(offset int64) *schemas.Record {
	return &schemas.Record{Topic: r.word(), Partition: r.Int32N(100), Offset: offset, Time: r.time(), Key: r.bytes(20)}
}

// rareTypes are those whose events fill a table of their own: each is there in every batch that is not small.
var rareTypes = []schemas.Type{schemas.TypeOrder, schemas.TypePriceChange, schemas.TypeStockChange, schemas.TypeConsentUpdate, schemas.TypeSurveyAnswer}

func (r *builder) event(batch uint64, i int) *schemas.Event {
	e := &schemas.Event{
		ID: fmt.Sprintf("%d-%d-%s", batch, i, r.text(10)), Source: r.word(), Channel: schemas.Channel(1 + r.IntN(schemas.ChannelCount-1)),
		Type: schemas.Type(1 + r.IntN(schemas.TypeCount-1)), Time: r.time(), Received: r.time(),
		OrderID: r.text(10), OrderVersion: r.Int64N(3), SKU: r.text(20), Quantity: r.decimal(), Amount: r.decimal(), Currency: r.word(),
		StoreID: r.word(), PageURL: r.text(300), PagePath: r.text(200), Referrer: r.text(r.long()),
		Campaign:  schemas.Campaign{ID: r.word(), Source: r.word(), Medium: r.word(), Name: r.word()},
		MessageID: r.text(40), LinkURL: r.text(100), Variant: r.word(), DwellMillis: r.Int64(), Machine: r.IntN(2) == 0, Country: r.word(),
		Properties: r.text(200), Record: r.record(r.Int64()), Element: r.IntN(1000), SessionID: r.Uint64(), Revenue: r.decimal(),
	}
	for range r.IntN(4) {
		e.IdentifierIDs = append(e.IdentifierIDs, r.Uint64())
	}
	e.Leaf = r.Uint32()
	if r.IntN(4) > 0 {
		e.Profile, e.ProfileID = 1, r.id()
	}
	if i < len(rareTypes) && r.events > 20 {
		e.Type = rareTypes[i]
	}
	switch e.Type {
	case schemas.TypePriceChange, schemas.TypeStockChange:
		e.SKU = fmt.Sprintf("%d-%d %s", batch, i, e.SKU)
		if r.IntN(2) == 0 {
			e.Items = []schemas.Item{{Name: r.text(30), Category: r.word(), Brand: r.word(), UnitPrice: 1 + r.decimal(), Cost: r.decimal()}}
		}
	case schemas.TypeConsentUpdate:
		for _, p := range r.Perm(schemas.PurposeCount)[:1+r.IntN(schemas.PurposeCount)] {
			e.Consents = append(e.Consents, schemas.Consent{Purpose: schemas.Purpose(p), State: schemas.ConsentState(r.IntN(3))})
		}
	case schemas.TypeSurveyAnswer:
		e.Answer = schemas.Answer{Survey: r.word(), Kind: schemas.SurveyKind(1 + r.IntN(2)), Score: int8(r.IntN(11))}
	}
	if e.OrderSign() != 0 {
		e.OrderID = fmt.Sprintf("order %d-%d", batch, i)
		for j := range r.IntN(4) {
			e.Items = append(e.Items, schemas.Item{LineID: fmt.Sprint(j + 1), SKU: r.text(20), Name: r.text(30), Category: r.word(), Brand: r.word(),
				Quantity: r.decimal(), UnitPrice: r.decimal(), Discount: r.decimal(), Total: r.decimal(), Cost: r.decimal()})
		}
	}
	return e
}

func (r *builder) identity(b *schemas.Batch) {
	r.identifiers++
	row := schemas.IdentifierRow{ID: r.identifiers, Namespace: r.word(), Display: r.text(20), ProfileID: r.id(), Class: schemas.Class(r.IntN(4)),
		FirstSeen: r.time(), LastSeen: r.time(), Quarantined: r.IntN(2) == 0}
	copy(row.ValueHash[:], r.bytes(17))
	b.Identifiers = append(b.Identifiers, row)
	r.contact(b)
	r.positions++
	b.Decisions = append(b.Decisions, schemas.Decision{Position: r.positions, Time: r.time(), Kind: schemas.DecisionKind(r.IntN(len(schemas.DecisionNames()))),
		A: r.Uint64(), B: r.Uint64(), ANamespace: r.word(), BNamespace: r.word(), ProfileID: r.id(), OtherProfile: r.id(), Rule: r.word(), EventID: r.text(20)})
	b.Aliases = append(b.Aliases, schemas.Alias{AliasID: r.id(), ProfileID: r.id(), Since: r.time()})
	b.Attributions = append(b.Attributions, schemas.Attribution{Leaf: r.Uint32(), ProfileID: r.id(), Since: r.time()})
}

// contact adds a row of contact data: of some forms, taken back, or hashed before it came.
func (r *builder) contact(b *schemas.Batch) {
	row := schemas.ContactRow{IdentifierID: r.identifiers, Kind: schemas.ContactKind(r.IntN(schemas.ContactCount)), Time: r.time()}
	hash := func() (sum [32]byte) {
		for i := range sum {
			sum[i] = byte(r.Uint32())
		}
		return sum
	}
	if r.IntN(5) > 0 {
		row.Forms.Plain, row.Value = hash(), r.text(20)
		if r.IntN(2) == 0 {
			row.Forms.Google, row.Forms.UID2 = hash(), hash()
		}
		if r.IntN(3) > 0 {
			row.Clear = "clear " + r.text(20)
		}
	}
	b.Contacts = append(b.Contacts, row)
}

func (r *builder) person(b *schemas.Batch) {
	n32, n64 := func() uint32 { return r.Uint32() }, func() uint64 { return r.Uint64() }
	p := schemas.Profile{Index: n32(), ID: r.id(), Version: b.Number, UserIDs: n32(), LoyaltyIDs: n32(), Emails: n32(), Phones: n32(), Cards: n32(),
		Devices: n32(), Anonymous: n32(), Identifiers: n32(), FirstSeen: r.time(), LastSeen: r.time(), Events: n64(),
		Stage: schemas.JourneyStage(r.IntN(schemas.JourneyCount)), StageSince: r.time(), StageReason: r.word(), Sessions: n32(), ProductViews: n64(), Searches: n64(),
		LastSessionID: n64(), LastSessionStart: r.time(), CheckoutAt: r.time(), Orders: r.Int64() - r.Int64(), Refunds: r.Int64(), PurchaseDays: n32(),
		Revenue: r.decimal(), Currency: r.word(), Country: r.word(), OtherCurrency: r.IntN(2) == 0, FirstOrder: r.time(), LastOrder: r.time(), StoreOrders: r.Int64(),
		OnlineOrders: r.Int64(), CartQuantity: r.decimal(), CartValue: r.decimal(), CartUpdated: r.time(), State: r.bytes(500),
		Email: schemas.EmailTotals{Sent: n64(), Delivered: n64(), Opens: n64(), MachineOpens: n64(), Clicks: n64(), MachineClicks: n64(),
			Bounces: n64(), Unsubscribes: n64(), Complaints: n64(), LastOpen: r.time(), LastClick: r.time()}}
	for c := 1; c < schemas.ChannelCount; c++ {
		if r.IntN(3) == 0 {
			p.Channels[c] = schemas.ChannelTotals{Events: 1 + n64()/2, FirstSeen: r.time(), LastSeen: r.time(), Orders: r.Int64N(3), Revenue: r.decimal()}
		}
	}
	for range r.IntN(4) {
		p.CartSKUs = append(p.CartSKUs, r.text(20))
	}
	if r.IntN(5) > 0 {
		p.Scores = r.scores()
	}
	b.Profiles = append(b.Profiles, p)
}

func (r *builder) scores() *schemas.Scores {
	n8, n32, share := func() uint8 { return uint8(r.Uint32()) }, func() uint32 { return r.Uint32() }, func() float32 { return r.Float32() }
	s := &schemas.Scores{At: r.time(), Models: n32(), RecencyQuintile: n8(), FrequencyQuintile: n8(), MonetaryQuintile: n8(), RepeatDays: n32(),
		RepeatSpan: n32(), Tenure: n32(), AliveBGNBD: share(), AliveMBGNBD: share(), ExpectedOrders: share(), ExpectedOrdersBGNBD: share(), NextOrder: r.time(),
		RepeatValueMean: r.decimal(), ExpectedValue: r.decimal(), LifetimeValue: r.decimal(), Gap: share(), HiatusChurn: r.IntN(2) == 0, Churn: share(),
		Propensity: share(), CartConversion: share(), Engagement: share(), ReadingMS: r.Int64(), ReadingPages: n32(), SendHour: n8(), SendHourBest: n8(),
		SendHourClicks: n32(), SendHourSends: n32(), Omnichannel: share(), Handovers: n32(), ChannelSwitches: n32(), Lines: n32(), PromotedLines: n32(),
		Discount: r.decimal(), List: r.decimal(), DiscountShare: share(), DiscountDepth: share(), PriceSensitivity: share(), NPS: int8(r.IntN(12) - 1),
		CSAT: int8(r.IntN(7) - 1), AnsweredAt: r.time(), Satisfaction: share(), LoyaltyPoints: r.Int64() - r.Int64(), LoyaltyEarned: r.Int64(),
		LoyaltyBurned: r.Int64(), LoyaltyExpired: r.Int64(), Margin: r.decimal(), GoodsCost: r.decimal(), ChannelCost: r.decimal(), ConsentAt: r.time(),
		Approximate: schemas.Bounds(r.IntN(8))}
	for _, shares := range []*[schemas.ChannelCount]float32{&s.ChannelBrowse, &s.ChannelRespond, &s.ChannelBuy} {
		for c := 1; c < schemas.ChannelCount; c++ {
			if r.IntN(3) == 0 {
				shares[c] = share()
			}
		}
	}
	for i := range r.IntN(schemas.ScoreCount + 1) {
		s.Categories = append(s.Categories, schemas.Weighed{Word: fmt.Sprint(i, r.word()), Weight: share() - 0.5})
		s.Brands = append(s.Brands, schemas.Weighed{Word: fmt.Sprint(9-i, r.word()), Weight: share()})
		s.Recommended = append(s.Recommended, schemas.Recommendation{SKU: r.text(20), Score: share(), Reason: r.word()})
	}
	for p := range s.Consent {
		s.Consent[p] = schemas.ConsentState(r.IntN(3))
	}
	return s
}

// population makes what the score stage knows of the population, of sessions and of companies, under names that no other batch has.
func (r *builder) population(b *schemas.Batch) {
	r.fits++
	m := schemas.Model{Name: r.word(), Version: r.fits, FittedAt: r.time(), People: r.Uint64(), LogLikelihood: -r.Float64()}
	for i := range r.IntN(4) {
		m.Parameters = append(m.Parameters, schemas.Parameter{Name: fmt.Sprint("p", i), Value: r.NormFloat64()})
	}
	b.Models = append(b.Models, m)
	from, to := schemas.JourneyStage(r.IntN(schemas.JourneyCount)), schemas.JourneyStage(r.IntN(schemas.JourneyCount))
	b.StageChanges = append(b.StageChanges, schemas.StageChange{ProfileID: r.id(), Time: r.time(), From: from, To: to, IsFirst: r.IntN(2) == 0, Reason: r.word()})
	b.SessionAliases = append(b.SessionAliases, schemas.SessionAlias{SessionID: r.Uint64(), Became: r.Uint64()})
	b.Accounts = append(b.Accounts, schemas.Account{ID: fmt.Sprint(b.Number, "/", r.fits, r.text(10)), Version: b.Number, People: r.Uint32(),
		Stage: schemas.JourneyStage(r.IntN(schemas.JourneyCount)), Events: r.Uint64(), Sessions: r.Uint32(), Views: r.Uint64(), Orders: r.Int64() - r.Int64(),
		Revenue: r.decimal(), Currency: r.word(), First: r.time(), Last: r.time(), Demo: r.time()})
}

func (r *builder) audience(b *schemas.Batch) {
	r.sequence++
	b.Memberships = append(b.Memberships, schemas.Membership{Audience: r.word(), ProfileID: r.id(), Member: r.IntN(2) == 0, Since: r.time(), Until: r.time(), Reason: r.word()})
	b.Audiences = append(b.Audiences, schemas.Audience{Name: fmt.Sprint("audience ", b.Number, "/", r.sequence), Description: r.text(20), Rule: r.text(20),
		MinSize: r.Uint32(), HoldoutOf: r.word(), Active: r.IntN(2) == 0})
	b.Changes = append(b.Changes, schemas.AudienceChange{Audience: r.word(), Sequence: r.sequence, ProfileID: r.id(), Enter: r.IntN(2) == 0, Time: r.time(), Reason: r.word()})
}
