package score

import "github.com/seamline/seamline/schemas"

// Doc says what a score is, what it is made of, and where that is from. The names of Columns and Inputs are columns of profiles.
type Doc struct {
	Name     string
	Version  int            // of the formula; grows when the same inputs give another value
	Columns  []string       // that hold the score
	Inputs   []string       // that it is computed from, besides scored_at
	Models   []string       // rows of the table models whose parameters it uses
	Bounds   schemas.Bounds // beyond which it is approximate
	Evidence []string       // types of events that the inputs count
	Formula  string
	Source   string
}

// Docs lists all scores, in the order of docs/scoring.md.
func Docs() []Doc { return docs }

var (
	purchases = []string{"order", "order_update", "order_cancel", "refund", "void"}
	messages  = []string{"message_sent", "message_delivered", "message_open", "message_click", "message_unsubscribe", "message_complaint"}
	interests = []string{"product_view", "product_click", "wishlist_add", "cart_add", "order"}
	visits    = []string{"page_view", "screen_view", "product_view", "search", "cart_add", "checkout_start", "checkout_step", "login", "identify", "signup"}
)

var docs = []Doc{
	{Name: "rfm", Version: 1, Columns: []string{"recency_quintile", "frequency_quintile", "monetary_quintile"},
		Inputs: []string{"last_order", "purchase_days", "revenue"}, Models: []string{"rfm"}, Evidence: purchases,
		Formula: "fifth of the buyers, 1 to 5 with 5 the best, by day of the last purchase, purchase days, and net revenue; cut points are right-closed",
		Source:  "Hughes, Strategic Database Marketing, 1994"},
	{Name: "alive", Version: 1, Columns: []string{"alive_mbgnbd", "alive_bgnbd"}, Inputs: []string{"repeat_days", "repeat_span", "tenure"},
		Models: []string{"mbgnbd", "bgnbd"}, Evidence: purchases,
		Formula: "MBG/NBD: 1 / (1 + a/(b+x) ((alpha+T)/(alpha+t_x))^(r+x)); BG/NBD: 1 / (1 + [x>0] a/(b+x-1) ((alpha+T)/(alpha+t_x))^(r+x)); weeks",
		Source:  "Batislam, Denizel, Filiztekin, IJRM 24, 2007; Fader, Hardie, Lee, Marketing Science 24, 2005"},
	{Name: "expected_orders", Version: 1, Columns: []string{"expected_orders", "expected_orders_bgnbd"}, Inputs: []string{"repeat_days", "repeat_span", "tenure"},
		Models: []string{"mbgnbd", "bgnbd"}, Evidence: purchases,
		Formula: "E[Y(t) | x, t_x, T], purchase days within score.horizon", Source: "as alive"},
	{Name: "order_value", Version: 1, Columns: []string{"expected_value"}, Inputs: []string{"repeat_days", "repeat_value_mean"}, Models: []string{"gamma_gamma"},
		Evidence: purchases, Formula: "p (v + x m) / (p x + q - 1), with m the mean value of the x purchase days after the first",
		Source: "Fader, Hardie, The Gamma-Gamma Model of Monetary Value, 2013"},
	{Name: "lifetime_value", Version: 1, Columns: []string{"lifetime_value"}, Inputs: []string{"repeat_days", "repeat_span", "tenure", "expected_value"},
		Models: []string{"gamma_gamma", "mbgnbd"}, Evidence: purchases,
		Formula: "score.margin-rate * expected_value * sum over the quarters k of a year of (E[Y(k)] - E[Y(k-1)]) / (1 + score.discount-rate)^(k/4)",
		Source:  "Fader, Hardie, Lee, Journal of Marketing Research 42, 2005"},
	{Name: "next_order", Version: 1, Columns: []string{"next_order", "order_gap"}, Inputs: []string{"purchase_days", "repeat_span", "last_order"}, Models: []string{"gap"},
		Evidence: purchases, Formula: "last_order + gap, gap = (2 m0 + span) / (2 + purchase days - 1), with m0 the population's mean gap", Source: "empirical Bayes mean"},
	{Name: "churn", Version: 1, Columns: []string{"churn", "hiatus_churn"}, Inputs: []string{"alive_mbgnbd", "order_gap", "tenure", "repeat_span"}, Models: []string{"mbgnbd"},
		Evidence: purchases, Formula: "1 - alive_mbgnbd; hiatus: silent for longer than score.hiatus times order_gap",
		Source: "Wubben, von Wangenheim, Journal of Marketing 72, 2008"},
	{Name: "purchase_propensity", Version: 1, Columns: []string{"purchase_propensity"}, Inputs: []string{"last_session_id", "last_session_start", "sessions"},
		Models: []string{"propensity"}, Evidence: visits,
		Formula: "logistic regression over what happened in the latest session, learned by FTRL-Proximal from every session when it is over",
		Source:  "McMahan et al., KDD 2013"},
	{Name: "cart_conversion", Version: 1, Columns: []string{"cart_conversion"}, Inputs: []string{"cart_skus", "cart_value", "cart_updated"},
		Models: []string{"cart_conversion"}, Bounds: schemas.BoundCart,
		Evidence: []string{"cart_add", "cart_remove", "order"},
		Formula:  "logistic regression over changes, value, silence, channel and earlier purchases, for an order on any channel within score.cart.horizon",
		Source:   "McMahan et al., KDD 2013"},
	{Name: "email_engagement", Version: 1, Columns: []string{"email_engagement"}, Inputs: []string{"email_sent", "email_opens", "email_clicks", "email_unsubscribes", "email_complaints"},
		Evidence: messages, Formula: "(0.2 + clicks + 0.3 opens) / (2 + messages), decayed with a half-life of 30 days; machines weigh nothing; 0 after an unsubscription or complaint",
		Source: "mean of a Beta posterior; forward decay: Cormode et al., ICDE 2009"},
	{Name: "reading", Version: 1, Columns: []string{"reading_ms", "reading_pages"}, Evidence: []string{"page_view", "screen_view", "product_view", "message_open"},
		Formula: "sum of the times that events say were spent, at most 30 minutes each, without machines", Source: "plain sum"},
	{Name: "send_time", Version: 1, Columns: []string{"send_hour", "send_hour_best"}, Inputs: []string{"send_hour_clicks", "send_hour_sends"}, Models: []string{"send_time"},
		Evidence: []string{"message_sent", "message_click"},
		Formula:  "hour of the week with the highest (clicks + 20 pi) / (messages + 20); send_hour draws from the Beta posteriors instead, and from all hours for a twentieth",
		Source:   "Thompson 1933; Chapelle, Li, NIPS 2011"},
	{Name: "channel_preference", Version: 1, Columns: []string{"channel_browse", "channel_respond", "channel_buy", "omnichannel"}, Inputs: []string{"channel_events", "channel_orders", "email_clicks"},
		Models: []string{"channels"}, Evidence: []string{"page_view", "screen_view", "product_view", "message_click", "order", "store_visit"},
		Formula: "(n + 2 pi) / (N + 2) by channel; omnichannel: entropy over all channels in use, divided by its largest value", Source: "mean of a Dirichlet posterior; Shannon 1948"},
	{Name: "journeys", Version: 1, Columns: []string{"handovers", "channel_switches"}, Inputs: []string{"sessions"}, Bounds: schemas.BoundVisits, Evidence: visits,
		Formula: "changes of device within a session's gap; changes of channel within seven days", Source: "counts over the sorted visits of all of a person's devices"},
	{Name: "discount", Version: 1, Columns: []string{"discount_share", "discount_depth", "price_sensitivity"}, Inputs: []string{"lines", "promoted_lines", "discount", "list_value"},
		Models: []string{"discount"}, Evidence: purchases,
		Formula: "(promoted + 4 p) / (lines + 4); discounts / list values; logistic of the log odds ratio of the share against the population's p", Source: "mean of a Beta posterior; the last is our own"},
	{Name: "category_affinity", Version: 1, Columns: []string{"category_affinity"}, Evidence: interests, Models: []string{"affinity"}, Bounds: schemas.BoundCategories,
		Formula: "log((c + 5 pi) / ((n + 5) pi)), views 1, carts 3, purchases 8, decayed with a half-life of 30 days", Source: "Church, Hanks 1990; forward decay: Cormode et al., ICDE 2009"},
	{Name: "brand_affinity", Version: 1, Columns: []string{"brand_affinity"}, Evidence: interests, Models: []string{"affinity"}, Bounds: schemas.BoundCategories,
		Formula: "as category_affinity", Source: "as category_affinity"},
	{Name: "recommendations", Version: 1, Columns: []string{"recommended_skus", "recommended_scores", "recommended_reasons"}, Inputs: []string{"cart_skus", "category_affinity"},
		Models: []string{"affinity"}, Bounds: schemas.BoundCart | schemas.BoundCategories, Evidence: interests,
		Formula: "sum over the products of the cart, bought and looked at of weight * LLR / (LLR + 10), and what is popular in liked categories; not what was bought within 30 days or is out of stock",
		Source:  "Dunning, Computational Linguistics 19, 1993"},
	{Name: "satisfaction", Version: 1, Columns: []string{"satisfaction", "nps", "csat"}, Inputs: []string{"answered_at"}, Evidence: []string{"survey_answer"},
		Formula: "mean of nps/10 and (csat-1)/4, latest answers", Source: "Reichheld, Harvard Business Review 81, 2003"},
	{Name: "loyalty", Version: 1, Columns: []string{"loyalty_points"}, Inputs: []string{"loyalty_earned", "loyalty_burned", "loyalty_expired"}, Evidence: purchases,
		Formula: "earned - burned - expired, by the rules of score.loyalty.rules, over the purchases of all identifiers of a member", Source: "the retailer's rules"},
	{Name: "margin", Version: 1, Columns: []string{"margin"}, Inputs: []string{"revenue", "goods_cost", "channel_cost"}, Evidence: append([]string{"message_sent", "message_click"}, purchases...),
		Formula: "net revenue - cost of goods - what the channels cost (score.cost.*); goods without a known cost earn score.margin-rate", Source: "contribution accounting"},
}
