package schemas

// Channel is where something happened.
type Channel uint8

// The channels of contract.md. ChannelUnknown never leaves the decoders.
const (
	ChannelUnknown Channel = iota
	ChannelWeb
	ChannelApp
	ChannelStore
	ChannelEmail
	ChannelSMS
	ChannelWhatsApp
	ChannelPush
	ChannelSocial
	ChannelCall
	channelEnd
)

// ChannelCount is one more than the largest Channel, for arrays indexed by channel.
const ChannelCount = int(channelEnd)

var channelNames = [ChannelCount]string{"", "web", "app", "store", "email", "sms", "whatsapp", "push", "social", "call"}

// String gives the name that stands in ClickHouse.
func (c Channel) String() string {
	if int(c) < len(channelNames) {
		return channelNames[c]
	}
	return ""
}

// MarshalText writes the same form as String.
func (c Channel) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// ChannelNames lists the names by value; index 0 is empty.
func ChannelNames() []string { return channelNames[:] }

// Type is the canonical type of an event.
type Type uint8

// The canonical types of contract.md. TypeUnknown never leaves the decoders.
const (
	TypeUnknown Type = iota
	TypePageView
	TypeScreenView
	TypeProductView
	TypeProductListView
	TypeSearch
	TypeProductClick
	TypeCartAdd
	TypeCartRemove
	TypeCartView
	TypeCheckoutStart
	TypeCheckoutStep
	TypeOrder
	TypeOrderUpdate
	TypeOrderCancel
	TypeRefund
	TypeVoid
	TypeIdentify
	TypeAlias
	TypeLogin
	TypeLogout
	TypeSignup
	TypeAccountDeleted
	TypeGroup
	TypeWishlistAdd
	TypeWishlistRemove
	TypeShare
	TypeReview
	TypePromoView
	TypePromoClick
	TypeCouponApplied
	TypeCouponDenied
	TypeAppInstall
	TypeMessageSent
	TypeMessageDelivered
	TypeMessageOpen
	TypeMessageClick
	TypeMessageBounce
	TypeMessageDeferred
	TypeMessageUnsubscribe
	TypeMessageComplaint
	TypeConsentUpdate
	TypeSurveyAnswer
	TypeDemoRequest
	TypeStoreVisit
	TypeStockChange
	TypePriceChange
	TypeCustom
	typeEnd
)

// TypeCount is one more than the largest Type, for arrays indexed by type.
const TypeCount = int(typeEnd)

var typeNames = [TypeCount]string{
	"", "page_view", "screen_view", "product_view", "product_list_view", "search", "product_click", "cart_add", "cart_remove",
	"cart_view", "checkout_start", "checkout_step", "order", "order_update", "order_cancel", "refund", "void", "identify", "alias",
	"login", "logout", "signup", "account_deleted", "group", "wishlist_add", "wishlist_remove", "share", "review", "promo_view",
	"promo_click", "coupon_applied", "coupon_denied", "app_install", "message_sent", "message_delivered", "message_open",
	"message_click", "message_bounce", "message_deferred", "message_unsubscribe", "message_complaint", "consent_update",
	"survey_answer", "demo_request", "store_visit", "stock_change", "price_change", "custom",
}

// String gives the name that stands in ClickHouse.
func (t Type) String() string {
	if int(t) < len(typeNames) {
		return typeNames[t]
	}
	return ""
}

// MarshalText writes the same form as String.
func (t Type) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// TypeNames lists the names by value; index 0 is empty.
func TypeNames() []string { return typeNames[:] }
