package clickhouse

import "github.com/seamline/seamline/schemas"

// scoreColumns are the columns of profiles that hold scores.
type scoreColumns struct {
	at, next, answered, consented                                         fixed[int64]
	models, repeatDays, repeatSpan, tenure, pages, hourClicks, hourSends  fixed[uint32]
	handovers, switches, lines, promoted                                  fixed[uint32]
	recency, frequency, monetary, hour, hourBest                          fixed[uint8]
	nps, csat                                                             fixed[int8]
	aliveBGNBD, aliveMBGNBD, expected, expectedBGNBD, gap, churn          fixed[float32]
	propensity, cart, engagement, omnichannel, share, depth, sensitivity  fixed[float32]
	satisfaction                                                          fixed[float32]
	repeatValue, value, lifetime, discount, list, margin, goods, channels fixed[int64]
	hiatus                                                                fixed[bool]
	readingMS, points, earned, burned, expired                            fixed[int64]
	browse, respond, buy                                                  shareMap
	categories, brands                                                    weighedMap
	sku                                                                   texts
	skuScore                                                              fixed[float32]
	reason                                                                words
	skus, skuScores, reasons                                              array
	consent                                                               dictionary
	purpose, answer, bound                                                names
	bounds                                                                array
}

// noScores stands for those of a person without: nothing is known, and nothing was answered.
var noScores = schemas.Scores{NPS: -1, CSAT: -1}

// init makes the columns and gives them with their names.
func (c *scoreColumns) init() []named {
	for _, column := range []*fixed[int64]{&c.at, &c.next, &c.answered, &c.consented} {
		*column = times()
	}
	for _, column := range []*fixed[int64]{&c.repeatValue, &c.value, &c.lifetime, &c.discount, &c.list, &c.margin, &c.goods, &c.channels} {
		*column = decimals()
	}
	for _, column := range []*fixed[int64]{&c.readingMS, &c.points, &c.earned, &c.burned, &c.expired} {
		*column = int64s()
	}
	for _, column := range []*fixed[uint32]{&c.models, &c.repeatDays, &c.repeatSpan, &c.tenure, &c.pages, &c.hourClicks, &c.hourSends, &c.handovers,
		&c.switches, &c.lines, &c.promoted} {
		*column = uint32s()
	}
	for _, column := range []*fixed[uint8]{&c.recency, &c.frequency, &c.monetary, &c.hour, &c.hourBest} {
		*column = uint8s()
	}
	for _, column := range []*fixed[float32]{&c.aliveBGNBD, &c.aliveMBGNBD, &c.expected, &c.expectedBGNBD, &c.gap, &c.churn, &c.propensity, &c.cart,
		&c.engagement, &c.omnichannel, &c.share, &c.depth, &c.sensitivity, &c.satisfaction, &c.skuScore} {
		*column = float32s()
	}
	c.nps, c.csat, c.hiatus = int8s(), int8s(), bools()
	c.skus.items, c.skuScores.items, c.reasons.items = &c.sku, &c.skuScore, &c.reason
	states := make([]string, schemas.ConsentDenied+1)
	for s := range states {
		states[s] = schemas.ConsentState(s).String()
	}
	c.purpose, c.answer = newNames(schemas.PurposeNames()), newNames(states)
	c.consent.keys, c.consent.values = &c.purpose, &c.answer
	c.bound, c.bounds.items = newNames(schemas.BoundNames()), &c.bound
	return c.named()
}

func (c *scoreColumns) named() []named {
	return []named{
		{"scored_at", &c.at}, {"models", &c.models}, {"recency_quintile", &c.recency}, {"frequency_quintile", &c.frequency},
		{"monetary_quintile", &c.monetary}, {"repeat_days", &c.repeatDays}, {"repeat_span", &c.repeatSpan}, {"tenure", &c.tenure},
		{"alive_bgnbd", &c.aliveBGNBD}, {"alive_mbgnbd", &c.aliveMBGNBD}, {"expected_orders", &c.expected},
		{"expected_orders_bgnbd", &c.expectedBGNBD}, {"next_order", &c.next}, {"repeat_value_mean", &c.repeatValue},
		{"expected_value", &c.value}, {"lifetime_value", &c.lifetime}, {"order_gap", &c.gap}, {"hiatus_churn", &c.hiatus}, {"churn", &c.churn},
		{"purchase_propensity", &c.propensity}, {"cart_conversion", &c.cart}, {"email_engagement", &c.engagement}, {"reading_ms", &c.readingMS},
		{"reading_pages", &c.pages}, {"send_hour", &c.hour}, {"send_hour_best", &c.hourBest}, {"send_hour_clicks", &c.hourClicks},
		{"send_hour_sends", &c.hourSends}, {"channel_browse", c.browse.init()}, {"channel_respond", c.respond.init()}, {"channel_buy", c.buy.init()},
		{"omnichannel", &c.omnichannel}, {"handovers", &c.handovers}, {"channel_switches", &c.switches}, {"lines", &c.lines},
		{"promoted_lines", &c.promoted}, {"discount", &c.discount}, {"list_value", &c.list}, {"discount_share", &c.share},
		{"discount_depth", &c.depth}, {"price_sensitivity", &c.sensitivity}, {"category_affinity", c.categories.init()},
		{"brand_affinity", c.brands.init()}, {"recommended_skus", &c.skus}, {"recommended_scores", &c.skuScores}, {"recommended_reasons", &c.reasons},
		{"nps", &c.nps}, {"csat", &c.csat}, {"answered_at", &c.answered}, {"satisfaction", &c.satisfaction}, {"loyalty_points", &c.points},
		{"loyalty_earned", &c.earned}, {"loyalty_burned", &c.burned}, {"loyalty_expired", &c.expired}, {"margin", &c.margin},
		{"goods_cost", &c.goods}, {"channel_cost", &c.channels}, {"consent", &c.consent}, {"consent_at", &c.consented},
		{"approximate", &c.bounds},
	}
}

func (c *scoreColumns) add(s *schemas.Scores) {
	if s == nil {
		s = &noScores
	}
	c.at.add(int64(s.At))
	c.models.add(s.Models)
	c.addBuying(s)
	c.addEngagement(s)
	c.addTaste(s)
	c.answered.add(int64(s.AnsweredAt))
	c.nps.add(s.NPS)
	c.csat.add(s.CSAT)
	c.satisfaction.add(s.Satisfaction)
	c.points.add(s.LoyaltyPoints)
	c.earned.add(s.LoyaltyEarned)
	c.burned.add(s.LoyaltyBurned)
	c.expired.add(s.LoyaltyExpired)
	c.margin.add(int64(s.Margin))
	c.goods.add(int64(s.GoodsCost))
	c.channels.add(int64(s.ChannelCost))
	for purpose, state := range s.Consent {
		if state != schemas.ConsentUnset {
			c.purpose.add(uint8(purpose))
			c.answer.add(uint8(state))
		}
	}
	c.consent.end()
	c.consented.add(int64(s.ConsentAt))
	for bound := range schemas.BoundNames() {
		if s.Approximate&(1<<bound) != 0 {
			c.bound.add(uint8(bound))
		}
	}
	c.bounds.end()
}

// addBuying writes what is known of past orders and to be expected of coming ones.
func (c *scoreColumns) addBuying(s *schemas.Scores) {
	c.recency.add(s.RecencyQuintile)
	c.frequency.add(s.FrequencyQuintile)
	c.monetary.add(s.MonetaryQuintile)
	c.repeatDays.add(s.RepeatDays)
	c.repeatSpan.add(s.RepeatSpan)
	c.tenure.add(s.Tenure)
	c.aliveBGNBD.add(s.AliveBGNBD)
	c.aliveMBGNBD.add(s.AliveMBGNBD)
	c.expected.add(s.ExpectedOrders)
	c.expectedBGNBD.add(s.ExpectedOrdersBGNBD)
	c.next.add(int64(s.NextOrder))
	c.repeatValue.add(int64(s.RepeatValueMean))
	c.value.add(int64(s.ExpectedValue))
	c.lifetime.add(int64(s.LifetimeValue))
	c.gap.add(s.Gap)
	c.hiatus.add(s.HiatusChurn)
	c.churn.add(s.Churn)
	c.propensity.add(s.Propensity)
	c.cart.add(s.CartConversion)
	c.lines.add(s.Lines)
	c.promoted.add(s.PromotedLines)
	c.discount.add(int64(s.Discount))
	c.list.add(int64(s.List))
	c.share.add(s.DiscountShare)
	c.depth.add(s.DiscountDepth)
	c.sensitivity.add(s.PriceSensitivity)
}

// addEngagement writes where and when the person can be reached.
func (c *scoreColumns) addEngagement(s *schemas.Scores) {
	c.engagement.add(s.Engagement)
	c.readingMS.add(s.ReadingMS)
	c.pages.add(s.ReadingPages)
	c.hour.add(s.SendHour)
	c.hourBest.add(s.SendHourBest)
	c.hourClicks.add(s.SendHourClicks)
	c.hourSends.add(s.SendHourSends)
	c.browse.add(&s.ChannelBrowse)
	c.respond.add(&s.ChannelRespond)
	c.buy.add(&s.ChannelBuy)
	c.omnichannel.add(s.Omnichannel)
	c.handovers.add(s.Handovers)
	c.switches.add(s.ChannelSwitches)
}

// addTaste writes what the person likes.
func (c *scoreColumns) addTaste(s *schemas.Scores) {
	c.categories.add(s.Categories)
	c.brands.add(s.Brands)
	for i := range s.Recommended {
		r := &s.Recommended[i]
		c.sku.add(r.SKU)
		c.skuScore.add(r.Score)
		c.reason.add(r.Reason)
	}
	c.skus.end()
	c.skuScores.end()
	c.reasons.end()
}

// shareMap is a map of shares by channel.
type shareMap struct {
	dictionary
	channel names
	share   fixed[float32]
}

func (m *shareMap) init() *shareMap {
	m.channel, m.share = newNames(schemas.ChannelNames()), float32s()
	m.keys, m.values = &m.channel, &m.share
	return m
}

// add writes only channels with a share.
func (m *shareMap) add(shares *[schemas.ChannelCount]float32) {
	for channel, share := range shares {
		if share != 0 {
			m.channel.add(uint8(channel))
			m.share.add(share)
		}
	}
	m.end()
}

// weighedMap is a map of words with weights, in the order in which they are given.
type weighedMap struct {
	dictionary
	word   words
	weight fixed[float32]
}

func (m *weighedMap) init() *weighedMap {
	m.weight = float32s()
	m.keys, m.values = &m.word, &m.weight
	return m
}

func (m *weighedMap) add(all []schemas.Weighed) {
	for i := range all {
		m.word.add(all[i].Word)
		m.weight.add(all[i].Weight)
	}
	m.end()
}
