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
	sc.GoodsCost = sum.cost + decimal(number(sum.uncosted)*(1-s.cfg.MarginRate))
	sc.ChannelCost = schemas.Decimal(t.messages[schemas.ChannelEmail][0])*c.Email +
		schemas.Decimal(t.messages[schemas.ChannelSMS][0]+t.messages[schemas.ChannelWhatsApp][0])*c.SMS +
		schemas.Decimal(t.messages[schemas.ChannelPush][0])*c.Push +
		schemas.Decimal(p.OnlineOrders)*c.Pack + schemas.Decimal(p.StoreOrders)*c.Store
	for i := range t.messages {
		sc.ChannelCost += schemas.Decimal(t.messages[i][1]) * c.Click
	}
	sc.Margin = p.Revenue - sc.GoodsCost - sc.ChannelCost
}
