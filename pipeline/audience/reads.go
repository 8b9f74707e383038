package audience

import (
	"github.com/expr-lang/expr/ast"

	"github.com/seamline/seamline/schemas"
)

// groups tells which group of a profile's fields each name of the environment belongs to.
var groups = func() map[string]schemas.Fields {
	all := map[string]schemas.Fields{}
	put := func(group schemas.Fields, names ...string) {
		for _, name := range names {
			all[name] = group
		}
	}
	put(schemas.FieldsStage, "stage", "stage_since")
	put(schemas.FieldsSeen, "first_seen", "last_seen", "events", "web_events", "web_first_seen", "web_last_seen", "app_events", "app_first_seen",
		"app_last_seen", "store_events", "store_first_seen", "store_last_seen", "email_events", "email_first_seen",
		"email_last_seen", "sms_events", "sms_first_seen", "sms_last_seen", "whatsapp_events", "whatsapp_first_seen",
		"whatsapp_last_seen", "push_events", "push_first_seen", "push_last_seen", "social_events", "social_first_seen",
		"social_last_seen", "call_events", "call_first_seen", "call_last_seen")
	put(schemas.FieldsSessions, "last_session", "sessions")
	put(schemas.FieldsViews, "product_views")
	put(schemas.FieldsSearches, "searches")
	put(schemas.FieldsOrders, "orders", "store_orders", "online_orders", "refunds", "purchase_days", "revenue", "currency", "other_currency",
		"first_order", "last_order", "web_orders", "web_revenue", "app_orders", "app_revenue", "store_revenue", "social_orders",
		"social_revenue", "call_orders", "call_revenue")
	put(schemas.FieldsCart, "cart_skus", "cart_quantity", "cart_value", "cart_updated")
	put(schemas.FieldsCheckout, "checkout_at")
	put(schemas.FieldsIdentity, "user_ids", "loyalty_ids", "emails", "phones", "cards", "devices", "anonymous_ids", "identifiers")
	put(schemas.FieldsMessages, "emails_sent", "emails_delivered", "email_opens", "email_clicks", "email_bounces", "unsubscribes", "complaints", "last_open",
		"last_click")
	put(schemas.FieldsCountry, "country")
	put(schemas.FieldsConsent, "consent_analytics", "consent_ads_storage", "consent_ads_user_data", "consent_ads_personalization",
		"consent_email_marketing", "consent_sms_marketing", "consent_push_marketing", "consent_whatsapp_marketing",
		"consent_personalization", "consent_at")
	put(schemas.FieldsBuying, "recency_quintile", "frequency_quintile", "monetary_quintile", "repeat_days", "repeat_span", "tenure", "alive_bgnbd",
		"alive_mbgnbd", "expected_orders", "expected_orders_bgnbd", "next_order", "repeat_value_mean", "expected_value",
		"lifetime_value", "order_gap", "hiatus_churn", "churn", "lines", "promoted_lines", "discount", "list_value",
		"discount_share", "discount_depth", "price_sensitivity", "loyalty_points", "loyalty_earned", "loyalty_burned",
		"loyalty_expired", "goods_cost")
	put(schemas.FieldsScores, "purchase_propensity", "cart_conversion", "email_engagement", "reading_ms", "reading_pages", "send_hour", "send_hour_best",
		"send_hour_clicks", "send_hour_sends", "browse_channel", "respond_channel", "buy_channel", "omnichannel", "handovers",
		"channel_switches", "top_categories", "top_brands", "margin", "channel_cost", "approximate")
	// Recommendations change with whatever anybody does. Rules see those as of when the person bought, or time passed, so that they cost little.
	put(schemas.FieldsBuying, "recommended_skus")
	put(schemas.FieldsAnswers, "nps", "csat", "answered_at", "satisfaction")
	put(schemas.FieldsClock, "idle", "within")
	return all
}()

// readsOf gives the groups that an expression reads.
func readsOf(node ast.Node) schemas.Fields {
	var r reads
	ast.Walk(&node, &r)
	return schemas.Fields(r)
}

type reads schemas.Fields

// Visit implements ast.Visitor.
func (r *reads) Visit(node *ast.Node) {
	if name, ok := (*node).(*ast.IdentifierNode); ok {
		*r |= reads(groups[name.Value])
	}
}
