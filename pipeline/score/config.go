package score

import (
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seamline/seamline/schemas"
)

// Config is what scores are told by settings.
type Config struct {
	SessionGap    time.Duration
	SessionGapApp time.Duration // 0: as SessionGap
	CartOpen      time.Duration // how long an untouched cart counts as considering
	AtRiskAfter   time.Duration
	LapsedAfter   time.Duration
	LoyalOrders   int
	FitEvery      time.Duration // 0 for never
	RescoreShare  int           // a buyer is scored again after a fit once the silence has grown by one part in so many; 0: after every fit
	Horizon       time.Duration // that expected orders look ahead
	CartHorizon   time.Duration // that the conversion of a cart looks ahead
	MarginRate    float64       // share of net revenue that is earned, where nobody named costs
	DiscountRate  float64       // of money, a year
	HiatusTimes   float64       // gaps of silence after which somebody counts as gone
	PairsMax      int           // pairs of products that are counted
	Properties    string        // names of event properties that tell about a purchase, with commas
	LoyaltyRules  string        // file; empty for the default
	Costs         Costs
	Loyalty       Loyalty // as ReadRules read it

	propertyNames []string
}

// DefaultConfig has the defaults of every setting.
func DefaultConfig() Config {
	return Config{SessionGap: 30 * time.Minute, CartOpen: 7 * 24 * time.Hour, AtRiskAfter: 180 * 24 * time.Hour,
		LapsedAfter: 365 * 24 * time.Hour, LoyalOrders: 4, FitEvery: 24 * time.Hour, RescoreShare: 8, Horizon: 90 * 24 * time.Hour,
		CartHorizon: 7 * 24 * time.Hour, MarginRate: 0.3, DiscountRate: 0.15, HiatusTimes: 3, PairsMax: 4 << 20,
		Costs:   Costs{Email: 10, SMS: 700, Push: 1, Pack: 4 * schemas.DecimalOne, Store: 2 * schemas.DecimalOne},
		Loyalty: defaultLoyalty()}
}

// Flags registers every setting.
func (c *Config) Flags(fs *flag.FlagSet) {
	fs.DurationVar(&c.SessionGap, "score.session.gap", c.SessionGap, "silence that ends a session on web and app")
	fs.DurationVar(&c.SessionGapApp, "score.session.gap-app", c.SessionGapApp, "the same for the app alone; 0 for score.session.gap")
	fs.DurationVar(&c.CartOpen, "score.cart.open", c.CartOpen, "how long an untouched cart or checkout keeps a person in stage considering")
	fs.DurationVar(&c.CartHorizon, "score.cart.horizon", c.CartHorizon, "how far ahead the conversion of an open cart is predicted")
	fs.DurationVar(&c.AtRiskAfter, "score.at-risk-after", c.AtRiskAfter, "time since the last order after which a buyer is at risk")
	fs.DurationVar(&c.LapsedAfter, "score.lapsed-after", c.LapsedAfter, "time since the last order after which a buyer has lapsed")
	fs.IntVar(&c.LoyalOrders, "score.loyal-orders", c.LoyalOrders, "orders that make a buyer loyal, as long as the last one is recent")
	fs.DurationVar(&c.FitEvery, "score.fit.every", c.FitEvery, "how often, in event time, the population's models are fitted anew; 0 for never")
	fs.IntVar(&c.RescoreShare, "score.fit.rescore", c.RescoreShare, "buyers are scored again after a fit once their silence has grown by one part in so many; 0 for all after every fit")
	fs.DurationVar(&c.Horizon, "score.horizon", c.Horizon, "how far ahead expected orders look")
	fs.Float64Var(&c.MarginRate, "score.margin-rate", c.MarginRate, "share of net revenue that is earned where nobody named the cost of the goods")
	fs.Float64Var(&c.DiscountRate, "score.discount-rate", c.DiscountRate, "what money of next year is worth less, for customer lifetime value")
	fs.Float64Var(&c.HiatusTimes, "score.hiatus", c.HiatusTimes, "so many gaps between purchases of silence make a buyer count as gone")
	fs.IntVar(&c.PairsMax, "score.pairs.max", c.PairsMax, "pairs of products that are counted at most; further ones are not learned")
	fs.StringVar(&c.Properties, "score.propensity.properties", c.Properties, "names of event properties that tell about a purchase, with commas between them")
	fs.StringVar(&c.LoyaltyRules, "score.loyalty.rules", c.LoyaltyRules, "file with the rules of the loyalty programme; empty for a point per unit of money")
	fs.TextVar(&c.Costs.Email, "score.cost.email", c.Costs.Email, "what an e-mail costs")
	fs.TextVar(&c.Costs.SMS, "score.cost.sms", c.Costs.SMS, "what a text or WhatsApp message costs")
	fs.TextVar(&c.Costs.Push, "score.cost.push", c.Costs.Push, "what a push message costs")
	fs.TextVar(&c.Costs.Click, "score.cost.click", c.Costs.Click, "what a click on a message costs")
	fs.TextVar(&c.Costs.Pack, "score.cost.pack", c.Costs.Pack, "picking, packing and sending an order that was not bought in a store")
	fs.TextVar(&c.Costs.Store, "score.cost.store", c.Costs.Store, "labour for an order in a store")
}

// pairsMin is room for a small shop.
const pairsMin = 1024

// Validate finds settings that cannot work.
func (c *Config) Validate() error {
	switch {
	case c.SessionGap <= 0 || c.CartOpen <= 0 || c.SessionGapApp < 0:
		return errors.New("score.session.gap and score.cart.open must be longer than nothing")
	case c.AtRiskAfter <= 0 || c.LapsedAfter <= c.AtRiskAfter:
		return errors.New("score.at-risk-after must be longer than nothing and shorter than score.lapsed-after")
	case c.LoyalOrders < 2:
		return errors.New("score.loyal-orders must be at least 2")
	case c.FitEvery < 0 || c.FitEvery%time.Minute != 0:
		return errors.New("score.fit.every must be whole minutes, or 0 for never")
	case c.RescoreShare < 0:
		return errors.New("score.fit.rescore must not be negative")
	case c.Horizon < 24*time.Hour || c.CartHorizon < time.Hour:
		return errors.New("score.horizon must be at least 24h and score.cart.horizon at least 1h")
	case !(c.MarginRate >= 0 && c.MarginRate <= 1) || !(c.DiscountRate >= 0 && c.DiscountRate <= 10):
		return errors.New("score.margin-rate must be from 0 to 1 and score.discount-rate from 0 to 10")
	case !(c.HiatusTimes > 0):
		return errors.New("score.hiatus must be above 0")
	case c.PairsMax < pairsMin:
		return fmt.Errorf("score.pairs.max must be at least %d", pairsMin)
	case min(c.Costs.Email, c.Costs.SMS, c.Costs.Push, c.Costs.Click, c.Costs.Pack, c.Costs.Store) < 0:
		return errors.New("score.cost.*: a cost must not be negative")
	}
	if n := len(names(c.Properties)); n > extrasMax {
		return fmt.Errorf("score.propensity.properties: %d names are more than %d", n, extrasMax)
	}
	return nil
}

// ReadRules reads the file of the loyalty programme's rules, where one is named.
func (c *Config) ReadRules() (err error) {
	c.Loyalty, err = readLoyalty(c.LoyaltyRules)
	return err
}

// names gives the words between commas.
func names(list string) (words []string) {
	for word := range strings.SplitSeq(list, ",") {
		if word = strings.TrimSpace(word); word != "" && !slices.Contains(words, word) {
			words = append(words, word)
		}
	}
	return words
}
