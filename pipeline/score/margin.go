package score

import "github.com/seamline/seamline/schemas"

// Costs are what channels cost, per piece.
type Costs struct {
	Email, SMS, Push, Click schemas.Decimal // of a message sent, and of a click
	Pack                    schemas.Decimal // picking, packing and sending an order that was not bought in a store
	Store                   schemas.Decimal // labour for an order in a store
}

// margin sets the contribution: net revenue less what the goods cost, less what the channels cost. Goods that nobody named a cost of are
// taken to earn score.margin-rate. All in ten-thousandths of the profile's currency, so that it adds exactly.
func (s *Stage) margin(p *schemas.Profile, sc *schemas.Scores, t *taste) {
	c := &s.cfg.Costs
	sum := s.fold.sum
	sc.GoodsCost = sum.cost + decimal(sum.uncosted.Float()*(1-s.cfg.MarginRate))
	email := schemas.Decimal(p.Email.Sent)
	for i, n := range t.messages {
		email -= schemas.Decimal(n)
		switch schemas.Channel(i) {
		case schemas.ChannelSMS, schemas.ChannelWhatsApp:
			sc.ChannelCost += schemas.Decimal(n) * c.SMS
		case schemas.ChannelPush:
			sc.ChannelCost += schemas.Decimal(n) * c.Push
		}
	}
	sc.ChannelCost += max(0, email)*c.Email + schemas.Decimal(p.Email.Clicks)*c.Click +
		schemas.Decimal(p.OnlineOrders)*c.Pack + schemas.Decimal(p.StoreOrders)*c.Store
	sc.Margin = p.Revenue - sc.GoodsCost - sc.ChannelCost
}
