package audience

import "github.com/seamline/seamline/schemas"

// look sets the profile that rules are run over.
func (e *evaluator) look(p *schemas.Profile) {
	v := &e.env
	v.Stage, v.StageSince, v.FirstSeen, v.LastSeen, v.LastSession = p.Stage.String(), p.StageSince, p.FirstSeen, p.LastSeen, p.LastSessionStart
	v.Events, v.Sessions, v.ProductViews, v.Searches = int(p.Events), int(p.Sessions), int(p.ProductViews), int(p.Searches)
	v.Orders, v.StoreOrders, v.OnlineOrders, v.Refunds = int(p.Orders), int(p.StoreOrders), int(p.OnlineOrders), int(p.Refunds)
	v.PurchaseDays, v.Revenue, v.Currency, v.OtherCurrency = int(p.PurchaseDays), p.Revenue.Float(), p.Currency, p.OtherCurrency
	v.FirstOrder, v.LastOrder, v.CartSKUs, v.CartQuantity = p.FirstOrder, p.LastOrder, p.CartSKUs, p.CartQuantity.Float()
	v.CartValue, v.CartUpdated, v.CheckoutAt, v.UserIDs = p.CartValue.Float(), p.CartUpdated, p.CheckoutAt, int(p.UserIDs)
	v.LoyaltyIDs, v.Emails, v.Phones, v.Cards, v.Devices = int(p.LoyaltyIDs), int(p.Emails), int(p.Phones), int(p.Cards), int(p.Devices)
	v.Anonymous, v.Identifiers, v.EmailsSent = int(p.Anonymous), int(p.Identifiers), int(p.Email.Sent)
	v.EmailsDelivered, v.EmailOpens, v.EmailClicks = int(p.Email.Delivered), int(p.Email.Opens), int(p.Email.Clicks)
	v.EmailBounces, v.Unsubscribes, v.Complaints = int(p.Email.Bounces), int(p.Email.Unsubscribes), int(p.Email.Complaints)
	v.LastOpen, v.LastClick = p.Email.LastOpen, p.Email.LastClick
	v.Country = p.Country
	e.lookChannels(p)
	e.lookConsent(p)
	e.lookScores(p.Scores)
}

// lookChannels sets what happened on each channel.
func (e *evaluator) lookChannels(p *schemas.Profile) {
	v := &e.env
	c := &p.Channels[schemas.ChannelWeb]
	v.WebEvents, v.WebFirstSeen, v.WebLastSeen, v.WebOrders = int(c.Events), c.FirstSeen, c.LastSeen, int(c.Orders)
	v.WebRevenue = c.Revenue.Float()
	c = &p.Channels[schemas.ChannelApp]
	v.AppEvents, v.AppFirstSeen, v.AppLastSeen, v.AppOrders = int(c.Events), c.FirstSeen, c.LastSeen, int(c.Orders)
	v.AppRevenue = c.Revenue.Float()
	c = &p.Channels[schemas.ChannelStore]
	v.StoreEvents, v.StoreFirstSeen, v.StoreLastSeen, v.StoreRevenue = int(c.Events), c.FirstSeen, c.LastSeen, c.Revenue.Float()
	c = &p.Channels[schemas.ChannelEmail]
	v.EmailEvents, v.EmailFirstSeen, v.EmailLastSeen = int(c.Events), c.FirstSeen, c.LastSeen
	c = &p.Channels[schemas.ChannelSMS]
	v.SMSEvents, v.SMSFirstSeen, v.SMSLastSeen = int(c.Events), c.FirstSeen, c.LastSeen
	c = &p.Channels[schemas.ChannelWhatsApp]
	v.WhatsAppEvents, v.WhatsAppFirstSeen, v.WhatsAppLastSeen = int(c.Events), c.FirstSeen, c.LastSeen
	c = &p.Channels[schemas.ChannelPush]
	v.PushEvents, v.PushFirstSeen, v.PushLastSeen = int(c.Events), c.FirstSeen, c.LastSeen
	c = &p.Channels[schemas.ChannelSocial]
	v.SocialEvents, v.SocialFirstSeen, v.SocialLastSeen, v.SocialOrders = int(c.Events), c.FirstSeen, c.LastSeen, int(c.Orders)
	v.SocialRevenue = c.Revenue.Float()
	c = &p.Channels[schemas.ChannelCall]
	v.CallEvents, v.CallFirstSeen, v.CallLastSeen, v.CallOrders = int(c.Events), c.FirstSeen, c.LastSeen, int(c.Orders)
	v.CallRevenue = c.Revenue.Float()
}

// lookConsent sets what the person said to each purpose.
func (e *evaluator) lookConsent(p *schemas.Profile) {
	v := &e.env
	v.ConsentAnalytics, v.ConsentAdsStorage = p.Consent[schemas.PurposeAnalytics].String(), p.Consent[schemas.PurposeAdsStorage].String()
	v.ConsentAdsUserData = p.Consent[schemas.PurposeAdsUserData].String()
	v.ConsentAdsPersonalization = p.Consent[schemas.PurposeAdsPersonalization].String()
	v.ConsentEmailMarketing = p.Consent[schemas.PurposeEmailMarketing].String()
	v.ConsentSMSMarketing = p.Consent[schemas.PurposeSMSMarketing].String()
	v.ConsentPushMarketing = p.Consent[schemas.PurposePushMarketing].String()
	v.ConsentWhatsAppMarketing = p.Consent[schemas.PurposeWhatsAppMarketing].String()
	v.ConsentPersonalization, v.ConsentAt = p.Consent[schemas.PurposePersonalization].String(), p.ConsentAt
}

// noScores stands for those of a profile without: nothing is known, and nothing was answered.
var noScores = schemas.Scores{NPS: -1, CSAT: -1}

// lookScores sets the scores; nil for a profile without, as all have where no rule reads any.
func (e *evaluator) lookScores(sc *schemas.Scores) {
	if sc == nil {
		if !e.scored {
			return
		}
		sc = &noScores
	}
	e.scored = sc != &noScores
	v := &e.env
	v.RecencyQuintile, v.FrequencyQuintile, v.MonetaryQuintile = int(sc.RecencyQuintile), int(sc.FrequencyQuintile), int(sc.MonetaryQuintile)
	v.RepeatDays, v.RepeatSpan, v.Tenure, v.AliveBGNBD = int(sc.RepeatDays), int(sc.RepeatSpan), int(sc.Tenure), float64(sc.AliveBGNBD)
	v.AliveMBGNBD, v.ExpectedOrders = float64(sc.AliveMBGNBD), float64(sc.ExpectedOrders)
	v.ExpectedOrdersBGNBD, v.NextOrder, v.RepeatValueMean = float64(sc.ExpectedOrdersBGNBD), sc.NextOrder, sc.RepeatValueMean.Float()
	v.ExpectedValue, v.LifetimeValue, v.OrderGap = sc.ExpectedValue.Float(), sc.LifetimeValue.Float(), float64(sc.Gap)
	v.HiatusChurn, v.Churn, v.Propensity = sc.HiatusChurn, float64(sc.Churn), float64(sc.Propensity)
	v.CartConversion, v.Engagement, v.ReadingMS = float64(sc.CartConversion), float64(sc.Engagement), int(sc.ReadingMS)
	v.ReadingPages, v.SendHour, v.SendHourBest = int(sc.ReadingPages), int(sc.SendHour), int(sc.SendHourBest)
	v.SendHourClicks, v.SendHourSends, v.ChannelBrowse = int(sc.SendHourClicks), int(sc.SendHourSends), largest(&sc.ChannelBrowse)
	v.ChannelRespond, v.ChannelBuy, v.Omnichannel = largest(&sc.ChannelRespond), largest(&sc.ChannelBuy), float64(sc.Omnichannel)
	v.Handovers, v.ChannelSwitches, v.Lines, v.PromotedLines = int(sc.Handovers), int(sc.ChannelSwitches), int(sc.Lines), int(sc.PromotedLines)
	v.Discount, v.List, v.DiscountShare = sc.Discount.Float(), sc.List.Float(), float64(sc.DiscountShare)
	v.DiscountDepth, v.PriceSensitivity = float64(sc.DiscountDepth), float64(sc.PriceSensitivity)
	v.TopCategories, v.TopBrands = words(e.env.TopCategories[:0], sc.Categories), words(e.env.TopBrands[:0], sc.Brands)
	v.Recommended, v.NPS, v.CSAT, v.AnsweredAt = skus(e.env.Recommended[:0], sc.Recommended), int(sc.NPS), int(sc.CSAT), sc.AnsweredAt
	v.Satisfaction, v.LoyaltyPoints, v.LoyaltyEarned = float64(sc.Satisfaction), int(sc.LoyaltyPoints), int(sc.LoyaltyEarned)
	v.LoyaltyBurned, v.LoyaltyExpired, v.Margin = int(sc.LoyaltyBurned), int(sc.LoyaltyExpired), sc.Margin.Float()
	v.GoodsCost, v.ChannelCost, v.Approximate = sc.GoodsCost.Float(), sc.ChannelCost.Float(), boundWords[sc.Approximate&boundsAll]
}

// largest names the channel with the largest share, the first of several; none where nobody was anywhere.
func largest(shares *[schemas.ChannelCount]float32) string {
	best := schemas.ChannelUnknown
	for c, share := range shares {
		if share > shares[best] {
			best = schemas.Channel(c)
		}
	}
	return best.String()
}

func words(list []string, of []schemas.Weighed) []string {
	for i := range of {
		list = append(list, of[i].Word)
	}
	return list
}

func skus(list []string, of []schemas.Recommendation) []string {
	for i := range of {
		list = append(list, of[i].SKU)
	}
	return list
}

const boundsAll = schemas.BoundVisits | schemas.BoundCart | schemas.BoundCategories

// boundWords has the words of every set of bounds.
var boundWords = func() (all [boundsAll + 1][]string) {
	for b := range all {
		all[b] = schemas.Bounds(b).Words()
	}
	return all
}()
