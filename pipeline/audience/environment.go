package audience

import (
	"maps"
	"slices"

	"github.com/seamline/seamline/schemas"
)

// environment is what a rule sees of a profile. The tags are the names that rules use; those of scores are the columns of the table
// profiles.
type environment struct {
	Stage                     string       `expr:"stage"`
	StageSince                schemas.Time `expr:"stage_since"`
	FirstSeen                 schemas.Time `expr:"first_seen"`
	LastSeen                  schemas.Time `expr:"last_seen"`
	LastSession               schemas.Time `expr:"last_session"`
	Events                    int          `expr:"events"`
	Sessions                  int          `expr:"sessions"`
	ProductViews              int          `expr:"product_views"`
	Searches                  int          `expr:"searches"`
	Orders                    int          `expr:"orders"`
	StoreOrders               int          `expr:"store_orders"`
	OnlineOrders              int          `expr:"online_orders"`
	Refunds                   int          `expr:"refunds"`
	PurchaseDays              int          `expr:"purchase_days"`
	Revenue                   float64      `expr:"revenue"`
	Currency                  string       `expr:"currency"`
	OtherCurrency             bool         `expr:"other_currency"`
	FirstOrder                schemas.Time `expr:"first_order"`
	LastOrder                 schemas.Time `expr:"last_order"`
	CartSKUs                  []string     `expr:"cart_skus"`
	CartQuantity              float64      `expr:"cart_quantity"`
	CartValue                 float64      `expr:"cart_value"`
	CartUpdated               schemas.Time `expr:"cart_updated"`
	CheckoutAt                schemas.Time `expr:"checkout_at"`
	Country                   string       `expr:"country"`
	UserIDs                   int          `expr:"user_ids"`
	LoyaltyIDs                int          `expr:"loyalty_ids"`
	Emails                    int          `expr:"emails"`
	Phones                    int          `expr:"phones"`
	Cards                     int          `expr:"cards"`
	Devices                   int          `expr:"devices"`
	Anonymous                 int          `expr:"anonymous_ids"`
	Identifiers               int          `expr:"identifiers"`
	EmailsSent                int          `expr:"emails_sent"`
	EmailsDelivered           int          `expr:"emails_delivered"`
	EmailOpens                int          `expr:"email_opens"`
	EmailClicks               int          `expr:"email_clicks"`
	EmailBounces              int          `expr:"email_bounces"`
	Unsubscribes              int          `expr:"unsubscribes"`
	Complaints                int          `expr:"complaints"`
	LastOpen                  schemas.Time `expr:"last_open"`
	LastClick                 schemas.Time `expr:"last_click"`
	WebEvents                 int          `expr:"web_events"`
	WebFirstSeen              schemas.Time `expr:"web_first_seen"`
	WebLastSeen               schemas.Time `expr:"web_last_seen"`
	WebOrders                 int          `expr:"web_orders"`
	WebRevenue                float64      `expr:"web_revenue"`
	AppEvents                 int          `expr:"app_events"`
	AppFirstSeen              schemas.Time `expr:"app_first_seen"`
	AppLastSeen               schemas.Time `expr:"app_last_seen"`
	AppOrders                 int          `expr:"app_orders"`
	AppRevenue                float64      `expr:"app_revenue"`
	StoreEvents               int          `expr:"store_events"`
	StoreFirstSeen            schemas.Time `expr:"store_first_seen"`
	StoreLastSeen             schemas.Time `expr:"store_last_seen"`
	StoreRevenue              float64      `expr:"store_revenue"`
	EmailEvents               int          `expr:"email_events"`
	EmailFirstSeen            schemas.Time `expr:"email_first_seen"`
	EmailLastSeen             schemas.Time `expr:"email_last_seen"`
	SMSEvents                 int          `expr:"sms_events"`
	SMSFirstSeen              schemas.Time `expr:"sms_first_seen"`
	SMSLastSeen               schemas.Time `expr:"sms_last_seen"`
	WhatsAppEvents            int          `expr:"whatsapp_events"`
	WhatsAppFirstSeen         schemas.Time `expr:"whatsapp_first_seen"`
	WhatsAppLastSeen          schemas.Time `expr:"whatsapp_last_seen"`
	PushEvents                int          `expr:"push_events"`
	PushFirstSeen             schemas.Time `expr:"push_first_seen"`
	PushLastSeen              schemas.Time `expr:"push_last_seen"`
	SocialEvents              int          `expr:"social_events"`
	SocialFirstSeen           schemas.Time `expr:"social_first_seen"`
	SocialLastSeen            schemas.Time `expr:"social_last_seen"`
	SocialOrders              int          `expr:"social_orders"`
	SocialRevenue             float64      `expr:"social_revenue"`
	CallEvents                int          `expr:"call_events"`
	CallFirstSeen             schemas.Time `expr:"call_first_seen"`
	CallLastSeen              schemas.Time `expr:"call_last_seen"`
	CallOrders                int          `expr:"call_orders"`
	CallRevenue               float64      `expr:"call_revenue"`
	ConsentAnalytics          string       `expr:"consent_analytics"`
	ConsentAdsStorage         string       `expr:"consent_ads_storage"`
	ConsentAdsUserData        string       `expr:"consent_ads_user_data"`
	ConsentAdsPersonalization string       `expr:"consent_ads_personalization"`
	ConsentEmailMarketing     string       `expr:"consent_email_marketing"`
	ConsentSMSMarketing       string       `expr:"consent_sms_marketing"`
	ConsentPushMarketing      string       `expr:"consent_push_marketing"`
	ConsentWhatsAppMarketing  string       `expr:"consent_whatsapp_marketing"`
	ConsentPersonalization    string       `expr:"consent_personalization"`
	ConsentAt                 schemas.Time `expr:"consent_at"`
	RecencyQuintile           int          `expr:"recency_quintile"`
	FrequencyQuintile         int          `expr:"frequency_quintile"`
	MonetaryQuintile          int          `expr:"monetary_quintile"`
	RepeatDays                int          `expr:"repeat_days"`
	RepeatSpan                int          `expr:"repeat_span"`
	Tenure                    int          `expr:"tenure"`
	AliveBGNBD                float64      `expr:"alive_bgnbd"`
	AliveMBGNBD               float64      `expr:"alive_mbgnbd"`
	ExpectedOrders            float64      `expr:"expected_orders"`
	ExpectedOrdersBGNBD       float64      `expr:"expected_orders_bgnbd"`
	NextOrder                 schemas.Time `expr:"next_order"`
	RepeatValueMean           float64      `expr:"repeat_value_mean"`
	ExpectedValue             float64      `expr:"expected_value"`
	LifetimeValue             float64      `expr:"lifetime_value"`
	OrderGap                  float64      `expr:"order_gap"`
	HiatusChurn               bool         `expr:"hiatus_churn"`
	Churn                     float64      `expr:"churn"`
	Propensity                float64      `expr:"purchase_propensity"`
	CartConversion            float64      `expr:"cart_conversion"`
	Engagement                float64      `expr:"email_engagement"`
	ReadingMS                 int          `expr:"reading_ms"`
	ReadingPages              int          `expr:"reading_pages"`
	SendHour                  int          `expr:"send_hour"`
	SendHourBest              int          `expr:"send_hour_best"`
	SendHourClicks            int          `expr:"send_hour_clicks"`
	SendHourSends             int          `expr:"send_hour_sends"`
	ChannelBrowse             string       `expr:"browse_channel"`
	ChannelRespond            string       `expr:"respond_channel"`
	ChannelBuy                string       `expr:"buy_channel"`
	Omnichannel               float64      `expr:"omnichannel"`
	Handovers                 int          `expr:"handovers"`
	ChannelSwitches           int          `expr:"channel_switches"`
	Lines                     int          `expr:"lines"`
	PromotedLines             int          `expr:"promoted_lines"`
	Discount                  float64      `expr:"discount"`
	List                      float64      `expr:"list_value"`
	DiscountShare             float64      `expr:"discount_share"`
	DiscountDepth             float64      `expr:"discount_depth"`
	PriceSensitivity          float64      `expr:"price_sensitivity"`
	TopCategories             []string     `expr:"top_categories"`
	TopBrands                 []string     `expr:"top_brands"`
	Recommended               []string     `expr:"recommended_skus"`
	NPS                       int          `expr:"nps"`
	CSAT                      int          `expr:"csat"`
	AnsweredAt                schemas.Time `expr:"answered_at"`
	Satisfaction              float64      `expr:"satisfaction"`
	LoyaltyPoints             int          `expr:"loyalty_points"`
	LoyaltyEarned             int          `expr:"loyalty_earned"`
	LoyaltyBurned             int          `expr:"loyalty_burned"`
	LoyaltyExpired            int          `expr:"loyalty_expired"`
	Margin                    float64      `expr:"margin"`
	GoodsCost                 float64      `expr:"goods_cost"`
	ChannelCost               float64      `expr:"channel_cost"`
	Approximate               []string     `expr:"approximate"`

	functions
}

// functions are what rules may call.
type functions struct {
	// Idle tells whether a time lies at least a span back. It is false for a time that never was.
	Idle func(at schemas.Time, span int) bool `expr:"idle"`
	// Within tells whether a time lies less than a span back.
	Within func(at schemas.Time, span int) bool `expr:"within"`

	// What the windows of a rule, by their number in it, hold at the instant; see window. Rules write them as calls of count and the like.
	Count    func(window int) int          `expr:"window_count"`
	AtLeast  func(window, count int) bool  `expr:"window_at_least"`
	Sum      func(window int) float64      `expr:"window_sum"`
	First    func(window int) schemas.Time `expr:"window_first"`
	Last     func(window int) schemas.Time `expr:"window_last"`
	Sequence func(window int) bool         `expr:"window_sequence"`
	// Member tells whether the profile is in another audience of those that a rule names.
	Member func(other int) bool `expr:"window_member"`
}

// fieldNames lists the names that rules may use, sorted.
func fieldNames() []string { return slices.Sorted(maps.Keys(fields)) }

// evaluator runs rules over one profile at one instant, and notes when time alone could change an answer. It asks a stage about the events
// that windows hold.
type evaluator struct {
	stage     *Stage
	env       environment
	event     eventEnvironment // that filters are asked about
	questions []question       // of the rule at hand
	others    []uint32         // audiences that it asks about
	scored    bool             // env has somebody's scores
	now       schemas.Time
	next      schemas.Time // the earliest instant after now at which an answer may change; 0 for never
}

func newEvaluator(s *Stage) *evaluator {
	e := &evaluator{stage: s, scored: true}
	e.lookScores(nil)
	e.env.functions = functions{
		Idle:   func(at schemas.Time, span int) bool { return e.idle(at, schemas.Time(span)) },
		Within: func(at schemas.Time, span int) bool { return e.within(at, schemas.Time(span)) },
		Count:  e.count, AtLeast: e.atLeast, Sum: e.sum, First: e.first, Last: e.last, Sequence: e.sequence, Member: e.member,
	}
	return e
}

func (e *evaluator) idle(at, span schemas.Time) bool { return at != 0 && !e.before(at+span) }

func (e *evaluator) within(at, span schemas.Time) bool { return at != 0 && e.before(at+span) }

// before tells whether edge is still to come, and notes it then: a rule's answer can change by time only at an edge that it
// looked at.
func (e *evaluator) before(edge schemas.Time) bool {
	if e.now >= edge {
		return false
	}
	if e.next == 0 || edge < e.next {
		e.next = edge
	}
	return true
}
