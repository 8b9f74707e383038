package score

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"

	"gopkg.in/yaml.v3"

	"github.com/seamline/seamline/schemas"
)

// Loyalty points: earned on what members pay, burned with what they redeem, and gone after a time.
//
//	earned  = sum over the orders that stand of floor(net paid with money / per) * points, by the first rule that fits
//	burned  = sum of floor(redeemed / value of a point)
//	expired = what of the points earned more than expire ago was not burned, oldest first
//	points  = earned - burned - expired
//
// Orders count whichever of the person's identifiers they came with: a card that was linked to the member's profile is enough. Source: the
// common earn and burn programme; the rules are the retailer's.

// points is what an order history is worth. Expiry is worked out when points are read, from sums by the month.
type points struct {
	earned, burned int64
	months         [loyaltyMonths]int64 // earned in the month top-i
	top            int32
}

// loyaltyMonths bounds how far back points that expire are told apart.
const loyaltyMonths = 36

// Loyalty are the rules of the programme.
type Loyalty struct {
	rules   []earnRule
	value   schemas.Decimal // of a point, when it is burned
	months  int32           // after which points expire; 0 for never
	welcome int64           // for being a member
}

// earnRule says what a purchase earns.
type earnRule struct {
	points      int64
	per         schemas.Decimal
	minimum     schemas.Decimal
	channels    [schemas.ChannelCount]bool
	anyChannel  bool
	from, until schemas.Time // 0 for no bound
}

// defaultLoyalty earns a point for every whole unit of money, worth a hundredth of it.
func defaultLoyalty() Loyalty {
	return Loyalty{rules: []earnRule{{points: 1, per: schemas.DecimalOne, anyChannel: true}}, value: schemas.DecimalOne / 100}
}

// earn adds what an order earned and burned.
func (y *Loyalty) earn(p *points, o *order) {
	if o.lines.redeemed > 0 {
		p.burned += int64(o.lines.redeemed / y.value)
	}
	paid := o.net() - o.lines.redeemed
	i := slices.IndexFunc(y.rules, func(r earnRule) bool { return r.fits(o, paid) })
	if i < 0 {
		return
	}
	n := int64(paid/y.rules[i].per) * y.rules[i].points
	p.earned += n
	if y.months > 0 { // else nothing expires
		p.add(month(o.time), n)
	}
}

func (r *earnRule) fits(o *order, paid schemas.Decimal) bool {
	return paid >= r.minimum && paid > 0 && (r.anyChannel || r.channels[o.channel]) && o.time >= r.from && (r.until == 0 || o.time < r.until)
}

// add adds points to a month. What is older than the months that are kept is put into the oldest of them.
func (p *points) add(m int32, n int64) {
	if n == 0 {
		return
	}
	if p.earned == n && p.months == ([loyaltyMonths]int64{}) {
		p.top = m
	}
	if m > p.top {
		by := int(m - p.top)
		for i := max(0, loyaltyMonths-1-by); i < loyaltyMonths-1; i++ {
			p.months[loyaltyMonths-1] += p.months[i]
		}
		oldest := p.months[loyaltyMonths-1]
		copy(p.months[min(by, loyaltyMonths-1):loyaltyMonths-1], p.months[:])
		clear(p.months[:min(by, loyaltyMonths-1)])
		p.months[loyaltyMonths-1] = oldest
		p.top = m
	}
	p.months[min(p.top-m, loyaltyMonths-1)] += n
}

// month is the number of a time's month.
func month(t schemas.Time) int32 {
	std := t.Std()
	return int32(std.Year()*12+int(std.Month())) - 1
}

// loyalty sets what a member's purchases are worth as of a time. Who is no member has no points.
func (s *Stage) loyalty(p *schemas.Profile, sc *schemas.Scores, t *totals) {
	if p.LoyaltyIDs == 0 {
		return
	}
	y, at := &s.cfg.Loyalty, &t.loyalty
	sc.LoyaltyEarned, sc.LoyaltyBurned = at.earned+y.welcome, at.burned
	if y.months > 0 {
		old := int64(0)
		for i := range at.months {
			if month(sc.At)-(at.top-int32(i)) > y.months {
				old += at.months[i]
			}
		}
		sc.LoyaltyExpired = max(0, old-at.burned)
	}
	sc.LoyaltyPoints = max(0, sc.LoyaltyEarned-sc.LoyaltyBurned-sc.LoyaltyExpired)
}

// loyaltyFile is the rules file of the programme.
type loyaltyFile struct {
	Earn []struct {
		Points   int64    `yaml:"points"`
		Per      string   `yaml:"per"`
		Minimum  string   `yaml:"minimum"`
		Channels []string `yaml:"channels"`
		From     string   `yaml:"from"`
		Until    string   `yaml:"until"`
	} `yaml:"earn"`
	Burn struct {
		Value string `yaml:"value"`
	} `yaml:"burn"`
	ExpireMonths int32 `yaml:"expire_months"`
	Welcome      int64 `yaml:"welcome"`
}

// readLoyalty reads the rules of the programme; the defaults where no file is named.
func readLoyalty(path string) (Loyalty, error) {
	if path == "" {
		return defaultLoyalty(), nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return Loyalty{}, fmt.Errorf("score.loyalty.rules: %w", err)
	}
	y, err := parseLoyalty(text)
	if err != nil {
		return Loyalty{}, fmt.Errorf("score.loyalty.rules %s: %w", path, err)
	}
	return y, nil
}

func parseLoyalty(text []byte) (Loyalty, error) {
	var file loyaltyFile
	file.Burn.Value = "0.01"
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&file); err != nil {
		return Loyalty{}, err
	}
	y := Loyalty{months: file.ExpireMonths, welcome: file.Welcome}
	var err error
	if y.value, err = schemas.ParseDecimal(file.Burn.Value); err != nil || y.value <= 0 {
		return y, fmt.Errorf("burn.value: %q is not an amount above 0", file.Burn.Value)
	}
	switch {
	case len(file.Earn) == 0:
		return y, errors.New("earn: at least one rule is needed")
	case y.months < 0 || y.months >= loyaltyMonths:
		return y, fmt.Errorf("expire_months must be from 0, for never, to %d", loyaltyMonths-1)
	case y.welcome < 0:
		return y, errors.New("welcome must not be negative")
	}
	for i, from := range file.Earn {
		rule := earnRule{points: from.Points, anyChannel: len(from.Channels) == 0}
		if from.Points < 0 || from.Points > 1_000_000 {
			return y, fmt.Errorf("earn %d: points must be from 0 to 1000000", i+1)
		}
		if rule.per, err = schemas.ParseDecimal(from.Per); err != nil || rule.per <= 0 {
			return y, fmt.Errorf("earn %d: per: %q is not an amount above 0", i+1, from.Per)
		}
		if from.Minimum != "" {
			if rule.minimum, err = schemas.ParseDecimal(from.Minimum); err != nil {
				return y, fmt.Errorf("earn %d: minimum: %w", i+1, err)
			}
		}
		for _, name := range from.Channels {
			c := slices.Index(schemas.ChannelNames(), name)
			if c <= 0 {
				return y, fmt.Errorf("earn %d: channel %q is none of %v", i+1, name, schemas.ChannelNames()[1:])
			}
			rule.channels[c] = true
		}
		if err := errors.Join(rule.from.UnmarshalText([]byte(from.From)), rule.until.UnmarshalText([]byte(from.Until))); err != nil {
			return y, fmt.Errorf("earn %d: %w", i+1, err)
		}
		y.rules = append(y.rules, rule)
	}
	return y, nil
}
