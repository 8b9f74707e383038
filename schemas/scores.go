package schemas

// ScoreCount bounds the lists of a profile's scores: categories, brands, recommendations.
const ScoreCount = 10

// Weighed is a word with its weight.
type Weighed struct {
	Word   string
	Weight float32
}

// Recommendation is a product for a person, with the reason in words.
type Recommendation struct {
	SKU    string
	Score  float32
	Reason string
}

// ConsentState is what a person said to a purpose. Unset is not granted.
type ConsentState uint8

// The answers.
const (
	ConsentUnset ConsentState = iota
	ConsentGranted
	ConsentDenied
)

// String gives the word that stands in ClickHouse.
func (c ConsentState) String() string { return [...]string{"unset", "granted", "denied"}[c] }

// MarshalText writes the same form as String.
func (c ConsentState) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// Purpose is what consent is asked for.
type Purpose uint8

// The purposes that Seamline knows; others stay in the event's properties.
const (
	PurposeAnalytics Purpose = iota
	PurposeAdsStorage
	PurposeAdsUserData
	PurposeAdsPersonalization
	PurposeEmailMarketing
	PurposeSMSMarketing
	PurposePushMarketing
	PurposeWhatsAppMarketing
	PurposePersonalization
	purposeEnd
)

// PurposeCount is one more than the largest Purpose.
const PurposeCount = int(purposeEnd)

var purposeNames = [PurposeCount]string{"analytics", "ads_storage", "ads_user_data", "ads_personalization", "email_marketing",
	"sms_marketing", "push_marketing", "whatsapp_marketing", "personalization"}

// String gives the name that stands in ClickHouse.
func (p Purpose) String() string { return purposeNames[p] }

// MarshalText writes the same form as String.
func (p Purpose) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// PurposeNames lists the names by value.
func PurposeNames() []string { return purposeNames[:] }

// Consent is an answer about one purpose.
type Consent struct {
	Purpose Purpose      `json:"purpose"`
	State   ConsentState `json:"state"`
}

// SurveyKind is the scale of a survey's answer.
type SurveyKind uint8

// The scales.
const (
	SurveyNone SurveyKind = iota
	SurveyNPS             // 0 to 10: promoter from 9, detractor up to 6
	SurveyCSAT            // 1 to 5
	surveyEnd
)

// String gives the name that stands in ClickHouse.
func (k SurveyKind) String() string { return [surveyEnd]string{"", "nps", "csat"}[k] }

// MarshalText writes the same form as String.
func (k SurveyKind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// Answer is what somebody answered to a survey.
type Answer struct {
	Survey string     `json:"survey"`
	Kind   SurveyKind `json:"kind"`
	Score  int8       `json:"score"`
}

// Bounds is a set of bounded parts of a person's state.
type Bounds uint8

// The parts.
const (
	BoundVisits     Bounds = 1 << iota // visits, with their devices and channels
	BoundCart                          // changes of the open cart
	BoundCategories                    // tastes: categories, brands, and all else that is weighed by name
)

var boundNames = []string{"visits", "cart", "categories"}

// BoundNames lists the names in the order of their bits.
func BoundNames() []string { return boundNames }

// Words gives the names of the parts that the set has.
func (b Bounds) Words() []string {
	list := []string{}
	for i, name := range boundNames {
		if b&(1<<i) != 0 {
			list = append(list, name)
		}
	}
	return list
}

// Scores is what is computed of a person's profile: pure functions of its state, of the clock At, and of the population's models in
// force. Probabilities and shares are in 0..1; NaN never occurs: a score that needs more evidence says 0 there, and its inputs show why.
type Scores struct {
	At     Time   // the clock that the scores were computed for
	Models uint32 // version of the models' parameters; 0 before the first fit

	// Recency, frequency and monetary value: quintiles 1 to 5 in the population of buyers, 5 the best; 0 without a purchase.
	RecencyQuintile, FrequencyQuintile, MonetaryQuintile uint8

	// Inputs of the models of buying, in days: purchase days less one, from the first to the last of them, and from the first to At.
	RepeatDays, RepeatSpan, Tenure uint32
	AliveBGNBD, AliveMBGNBD        float32 // probability of still being a customer; BG/NBD says 1 without a repeat purchase
	ExpectedOrders                 float32 // purchase days in the coming horizon (score.horizon), by MBG/NBD
	ExpectedOrdersBGNBD            float32 // the same by BG/NBD
	NextOrder                      Time    // when the next purchase is to be expected; 0 for nobody knows

	RepeatValueMean Decimal // mean value of purchase days after the first
	ExpectedValue   Decimal // expected value of a purchase day, by Gamma-Gamma
	LifetimeValue   Decimal // discounted margin of the coming 365 days

	Gap         float32 // days between purchases, drawn towards the population's
	HiatusChurn bool    // silent for longer than score.hiatus times Gap
	Churn       float32 // 1 - AliveMBGNBD

	Propensity     float32 // that the latest session, or the next alike, buys
	CartConversion float32 // that the open cart is bought within score.cart.horizon

	Engagement   float32 // of e-mail: human clicks and opens per message, decayed; machine opens weigh nothing
	ReadingMS    int64   // time read, as far as it was told
	ReadingPages uint32

	SendHour        uint8 // hour of the week to send at, 0 Monday 00:00 UTC; what chance explores included
	SendHourBest    uint8 // the same without exploration
	SendHourClicks  uint32
	SendHourSends   uint32
	ChannelBrowse   [ChannelCount]float32 // shares, drawn towards the population's
	ChannelRespond  [ChannelCount]float32
	ChannelBuy      [ChannelCount]float32
	Omnichannel     float32 // entropy of all the person did over the channels, 0 for one channel, 1 for all alike
	Handovers       uint32  // from one device to another within a session's gap
	ChannelSwitches uint32  // from one channel to another within a journey

	Lines            uint32  // lines bought
	PromotedLines    uint32  // of them with a discount
	Discount, List   Decimal // sums of discounts and of list values
	DiscountShare    float32 // of lines, drawn towards the population's
	DiscountDepth    float32 // discount per list value
	PriceSensitivity float32 // 0.5 as the population, towards 1 the more the person waits for discounts

	Categories []Weighed // affinity: log of the ratio to the population's share; best first
	Brands     []Weighed

	Recommended []Recommendation

	NPS, CSAT    int8 // latest answers; -1 for none
	AnsweredAt   Time
	Satisfaction float32 // 0..1, latest answers; 0 without one

	LoyaltyPoints, LoyaltyEarned, LoyaltyBurned, LoyaltyExpired int64

	Margin      Decimal // contribution: net value less cost of goods, less what channels cost
	GoodsCost   Decimal
	ChannelCost Decimal

	Consent   [PurposeCount]ConsentState
	ConsentAt Time

	Approximate Bounds // what fell out of the state that the scores are made of
}

// Model is one fitted set of parameters of the population: a row that never changes once it is written.
type Model struct {
	Name          string // such as bgnbd; several have the same Version
	Version       uint32
	FittedAt      Time    // the clock at the fit
	People        uint64  // or baskets, or sessions: how many the fit is made of
	LogLikelihood float64 // 0 where the model has none
	Parameters    []Parameter
}

// Parameter is one number of a model.
type Parameter struct {
	Name  string
	Value float64
}

// SessionAlias tells that the events of a session belong to another: an event that came late moved the session's start, or joined two.
type SessionAlias struct {
	SessionID uint64
	Became    uint64
}

// Account is a company, or another group, as of now: the fold of all people in it.
type Account struct {
	ID       string // the group's id as producers give it
	Version  uint64 // the batch that wrote it
	People   uint32
	Stage    JourneyStage // the furthest of its people's
	Events   uint64
	Sessions uint32
	Views    uint64
	Orders   int64
	Revenue  Decimal
	Currency string
	First    Time
	Last     Time
	Demo     Time // latest demo request; 0 for none
}
