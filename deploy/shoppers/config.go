// Package shoppers simulates the customers of an omnichannel retailer.
// In comes a Config with a seed; out go records in the wire formats of third parties, in the order they are sent, and the truth about them.
// It never talks to a broker, never reads the clock, and gives the same bytes for the same Config.
package shoppers

import (
	"errors"
	"flag"
	"fmt"
	"time"
)

// Limits on what a Config may ask for.
const (
	shoppersMax = 1_800_000 // as many fictional US telephone numbers as the plan below has
	storesMax   = 99        // store ids have two digits
	rateMax     = 100.0     // sessions, visits or mails a day and shopper; a session takes minutes
	lateMax     = 72 * time.Hour
)

// Config says how many shoppers live for how long, and how untidy their traffic is.
// A share is a fraction between 0 and 1.
type Config struct {
	Seed     uint64        // equal seeds give equal bytes
	Shoppers int           // persons in the simulation
	Start    time.Time     // when the simulated span begins; readers refuse events of the future, so the span should end by now
	Duration time.Duration // how long things happen; late records are sent up to three days after it
	Stores   int           // shops; their tills take turns in speaking the four receipt formats
	Currency string        // of every price

	SessionsPerDay float64 // web and app sessions a shopper and day, on average
	VisitsPerDay   float64 // store purchases a shopper and day
	MailsPerDay    float64 // messages a day to a shopper whose address is known

	SharedDeviceShare float64 // persons whose household shares one tablet
	KioskShare        float64 // sessions that take place at a store kiosk
	PlaceholderShare  float64 // clickstream events with a second, meaningless identifier such as "null"
	FillerShare       float64 // receipts, identify calls and app sessions with a made-up value, also such as no list of placeholders has
	LateShare         float64 // records sent minutes to three days after they happened
	DuplicateShare    float64 // records sent twice
	MachineOpenShare  float64 // message opens made by a privacy proxy
	LoyaltyShare      float64 // persons with a loyalty card
	RegisterShare     float64 // persons who have or will open an account
	ClockSkewShare    float64 // devices with a wrong clock
	MalformedShare    float64 // extra records that must be refused
	FramedShare       float64 // records framed as a schema registry client does
	CloudEventShare   float64 // records with CloudEvents headers

	OversizeBytes int  // size of a record that must be refused for its size; brokers and producers must let it pass
	Feeds         bool // send prices, stock, consents and answers to surveys as well; what is sent besides stays the same, and so does the truth
	EventTruth    bool // remember the person behind every event id; costs about 20 bytes an event
}

// DefaultConfig returns a day in the life of a thousand shoppers.
func DefaultConfig() Config {
	return Config{
		Seed: 1, Shoppers: 1000, Start: time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC), Duration: 24 * time.Hour,
		Stores: 12, Currency: "USD",
		SessionsPerDay: 1, VisitsPerDay: 0.2, MailsPerDay: 0.4,
		SharedDeviceShare: 0.05, KioskShare: 0.01, PlaceholderShare: 0.001, LateShare: 0.05, DuplicateShare: 0.02,
		MachineOpenShare: 0.4, LoyaltyShare: 0.6, RegisterShare: 0.6, ClockSkewShare: 0.05,
		FramedShare: 0.02, CloudEventShare: 0.02, OversizeBytes: 1<<20 + 1000,
	}
}

// Flags registers every setting under the prefix "shoppers.", with the values in c as defaults.
func (c *Config) Flags(fs *flag.FlagSet) {
	fs.Uint64Var(&c.Seed, "shoppers.seed", c.Seed, "seed of the simulation; equal seeds give equal bytes")
	fs.IntVar(&c.Shoppers, "shoppers.count", c.Shoppers, "persons in the simulation")
	fs.TextVar(&c.Start, "shoppers.start", c.Start, "RFC 3339 time at which the simulated span begins")
	fs.DurationVar(&c.Duration, "shoppers.duration", c.Duration, "simulated span")
	fs.IntVar(&c.Stores, "shoppers.stores", c.Stores, "shops")
	fs.StringVar(&c.Currency, "shoppers.currency", c.Currency, "currency of every price")
	fs.Float64Var(&c.SessionsPerDay, "shoppers.sessions-per-day", c.SessionsPerDay, "web and app sessions a shopper and day")
	fs.Float64Var(&c.VisitsPerDay, "shoppers.visits-per-day", c.VisitsPerDay, "store purchases a shopper and day")
	fs.Float64Var(&c.MailsPerDay, "shoppers.mails-per-day", c.MailsPerDay, "messages a day to a known address")
	for _, s := range c.shares() {
		fs.Float64Var(s.value, "shoppers."+s.name+"-share", *s.value, s.usage)
	}
	fs.IntVar(&c.OversizeBytes, "shoppers.oversize-bytes", c.OversizeBytes, "size of a record that must be refused for its size")
	fs.BoolVar(&c.Feeds, "shoppers.feeds", c.Feeds, "send prices, stock, consents and answers to surveys as well")
	fs.BoolVar(&c.EventTruth, "shoppers.event-truth", c.EventTruth, "remember the person behind every event id")
}

// share is one fraction of the Config with its name and its sentence.
type share struct {
	name  string
	value *float64
	usage string
}

func (c *Config) shares() []share {
	return []share{
		{"shared-device", &c.SharedDeviceShare, "persons whose household shares one tablet"},
		{"kiosk", &c.KioskShare, "sessions at a store kiosk"},
		{"placeholder", &c.PlaceholderShare, "clickstream events with a meaningless identifier"},
		{"filler", &c.FillerShare, "receipts, identify calls and app sessions with a made-up identifier"},
		{"late", &c.LateShare, "records sent minutes to three days late"},
		{"duplicate", &c.DuplicateShare, "records sent twice"},
		{"machine-open", &c.MachineOpenShare, "message opens made by a machine"},
		{"loyalty", &c.LoyaltyShare, "persons with a loyalty card"},
		{"register", &c.RegisterShare, "persons who have or will open an account"},
		{"clock-skew", &c.ClockSkewShare, "devices with a wrong clock"},
		{"malformed", &c.MalformedShare, "extra records that must be refused"},
		{"framed", &c.FramedShare, "records framed as a schema registry client does"},
		{"cloud-event", &c.CloudEventShare, "records with CloudEvents headers"},
	}
}

// Validate names the first setting that cannot be simulated.
func (c Config) Validate() error {
	switch {
	case c.Shoppers < 1 || c.Shoppers > shoppersMax:
		return fmt.Errorf("shoppers.count is %d, want 1 to %d", c.Shoppers, shoppersMax)
	case c.Duration <= 0:
		return fmt.Errorf("shoppers.duration is %v, want more than 0", c.Duration)
	case c.Stores < 1 || c.Stores > storesMax:
		return fmt.Errorf("shoppers.stores is %d, want 1 to %d", c.Stores, storesMax)
	case len(c.Currency) != 3:
		return fmt.Errorf("shoppers.currency is %q, want three letters", c.Currency)
	case c.Start.Year() < 2000 || c.Start.Add(c.Duration).Year() > 2100:
		return errors.New("shoppers.start and shoppers.duration must lie between the years 2000 and 2100")
	case c.OversizeBytes < 1<<10 || c.OversizeBytes > 64<<20:
		return fmt.Errorf("shoppers.oversize-bytes is %d, want 1 KiB to 64 MiB", c.OversizeBytes)
	case c.MachineOpenShare > 0.95:
		return fmt.Errorf("shoppers.machine-open-share is %v, want at most 0.95, since people open messages too", c.MachineOpenShare)
	}
	for _, r := range []struct {
		name  string
		value float64
	}{{"sessions", c.SessionsPerDay}, {"visits", c.VisitsPerDay}, {"mails", c.MailsPerDay}} {
		if !(r.value >= 0 && r.value <= rateMax) {
			return fmt.Errorf("shoppers.%s-per-day is %v, want 0 to %v", r.name, r.value, rateMax)
		}
	}
	for _, s := range c.shares() {
		if !(*s.value >= 0 && *s.value <= 1) {
			return fmt.Errorf("shoppers.%s-share is %v, want 0 to 1", s.name, *s.value)
		}
	}
	return nil
}

// Records that one unit of activity gives on average, measured with the default shares.
const (
	recordsPerSession = 11.6
	recordsPerVisit   = 1.0
	recordsPerMail    = 1.6 // on a day's chance of a message, with the sessions that clicks lead to
	recordsPerBot     = 9.5 // each visit
)

// WithRate returns c with its activity scaled so that about perSecond records happen in each simulated second.
// It reaches at most what so many shoppers can do; for high rates ask for more of them.
func (c Config) WithRate(perSecond float64) Config {
	daily := c.SessionsPerDay*recordsPerSession + c.VisitsPerDay*recordsPerVisit + c.MailsPerDay*recordsPerMail
	daily *= float64(c.Shoppers) * (1 + c.DuplicateShare + c.MalformedShare)
	wanted := perSecond*86400 - botCount*recordsPerBot*86_400_000/botPause
	if daily <= 0 || wanted <= 0 {
		return c
	}
	factor := min(wanted/daily, rateMax/max(c.SessionsPerDay, c.VisitsPerDay, c.MailsPerDay))
	c.SessionsPerDay *= factor
	c.VisitsPerDay *= factor
	c.MailsPerDay *= factor
	return c
}
