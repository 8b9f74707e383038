package clickstream

import (
	"strings"

	"github.com/seamline/seamline/consumers/field"
	"github.com/seamline/seamline/schemas"
)

// role says which properties of an event have a meaning of their own.
type role uint8

const (
	roleProduct    role = 1 << iota // properties describe one product
	roleOrder                       // properties are an order; an order id is needed
	rolePage                        // url, path and referrer are those of the page that was seen
	roleMessage                     // properties describe a message to the person
	roleExperiment                  // properties name an experiment and its arm
	roleConsent                     // context.consent is the news
	roleSurvey                      // properties are an answer to a survey
	roleNamed                       // the name stays in properties as "event"
)

// meaning is what the name of a track call stands for.
type meaning struct {
	kind    schemas.Type
	channel schemas.Channel // unknown where the surroundings tell it
	role    role
}

// nameLengthMax bounds the names that are looked up; no known name is longer.
const nameLengthMax = 64

// custom is what any other name means.
var custom = meaning{kind: schemas.TypeCustom, role: roleNamed}

// nameTable says what every known name of a track call means: the e-commerce spec with its older names, the e-mail, B2B, mobile and
// A/B testing specs, and common names for what they leave out. Names are compared without case, spaces and punctuation.
var nameTable = []struct {
	meaning meaning
	names   []string
}{
	// E-commerce: browsing.
	{meaning{kind: schemas.TypeSearch}, []string{"Products Searched", "Searched Products", "Product Searched"}},
	{meaning{kind: schemas.TypeProductListView}, []string{"Product List Viewed", "Product List Filtered", "Viewed Product List", "Viewed Product Category",
		"Product Category Viewed"}},
	{meaning{kind: schemas.TypePromoView}, []string{"Promotion Viewed", "Viewed Promotion"}},
	{meaning{kind: schemas.TypePromoClick}, []string{"Promotion Clicked", "Clicked Promotion"}},
	{meaning{kind: schemas.TypeProductClick, role: roleProduct}, []string{"Product Clicked", "Clicked Product"}},
	{meaning{kind: schemas.TypeProductView, role: roleProduct}, []string{"Product Viewed", "Viewed Product"}},
	// E-commerce: cart and checkout.
	{meaning{kind: schemas.TypeCartAdd, role: roleProduct}, []string{"Product Added", "Added Product", "Product Added to Cart", "Wishlist Product Added to Cart"}},
	{meaning{kind: schemas.TypeCartRemove, role: roleProduct}, []string{"Product Removed", "Removed Product", "Product Removed from Cart"}},
	{meaning{kind: schemas.TypeCartView}, []string{"Cart Viewed", "Viewed Cart"}},
	{meaning{kind: schemas.TypeCheckoutStart}, []string{"Checkout Started", "Started Checkout", "Started Order", "Order Started"}},
	{meaning{kind: schemas.TypeCheckoutStep}, []string{"Checkout Step Viewed", "Viewed Checkout Step", "Checkout Step Completed", "Completed Checkout Step",
		"Payment Info Entered", "Entered Payment Info"}},
	// E-commerce: orders.
	{meaning{kind: schemas.TypeOrder, role: roleOrder}, []string{"Order Completed", "Completed Order"}},
	{meaning{kind: schemas.TypeOrderUpdate, role: roleOrder}, []string{"Order Updated", "Updated Order"}},
	{meaning{kind: schemas.TypeOrderCancel, role: roleOrder}, []string{"Order Cancelled", "Order Canceled", "Cancelled Order", "Canceled Order"}},
	{meaning{kind: schemas.TypeRefund, role: roleOrder}, []string{"Order Refunded", "Refunded Order"}},
	// E-commerce: coupons, wish lists, sharing, reviews.
	{meaning{kind: schemas.TypeCouponApplied}, []string{"Coupon Applied", "Applied Coupon"}},
	{meaning{kind: schemas.TypeCouponDenied}, []string{"Coupon Denied", "Denied Coupon"}},
	{meaning{kind: schemas.TypeWishlistAdd, role: roleProduct}, []string{"Product Added to Wishlist", "Added Product to Wishlist"}},
	{meaning{kind: schemas.TypeWishlistRemove, role: roleProduct}, []string{"Product Removed from Wishlist", "Removed Product from Wishlist"}},
	{meaning{kind: schemas.TypeShare, role: roleProduct}, []string{"Product Shared", "Shared Product"}},
	{meaning{kind: schemas.TypeShare}, []string{"Cart Shared", "Shared Cart"}},
	{meaning{kind: schemas.TypeReview, role: roleProduct}, []string{"Product Reviewed", "Reviewed Product"}},
	// E-mail and push messages.
	{meaning{schemas.TypeMessageSent, schemas.ChannelEmail, roleMessage}, []string{"Email Sent"}},
	{meaning{schemas.TypeMessageDelivered, schemas.ChannelEmail, roleMessage}, []string{"Email Delivered"}},
	{meaning{schemas.TypeMessageOpen, schemas.ChannelEmail, roleMessage}, []string{"Email Opened"}},
	{meaning{schemas.TypeMessageClick, schemas.ChannelEmail, roleMessage}, []string{"Email Link Clicked", "Email Clicked"}},
	{meaning{schemas.TypeMessageBounce, schemas.ChannelEmail, roleMessage}, []string{"Email Bounced"}},
	{meaning{schemas.TypeMessageDeferred, schemas.ChannelEmail, roleMessage}, []string{"Email Deferred"}},
	{meaning{schemas.TypeMessageComplaint, schemas.ChannelEmail, roleMessage}, []string{"Email Marked as Spam"}},
	{meaning{schemas.TypeMessageUnsubscribe, schemas.ChannelEmail, roleMessage}, []string{"Unsubscribed", "Email Unsubscribed"}},
	{meaning{schemas.TypeMessageDelivered, schemas.ChannelPush, roleMessage}, []string{"Push Notification Received"}},
	{meaning{schemas.TypeMessageClick, schemas.ChannelPush, roleMessage}, []string{"Push Notification Tapped"}},
	{meaning{schemas.TypeMessageBounce, schemas.ChannelPush, roleMessage}, []string{"Push Notification Bounced"}},
	// B2B: accounts. Trials, invitations and account members are custom.
	{meaning{kind: schemas.TypeSignup}, []string{"Signed Up", "User Signed Up", "Account Created", "User Registered"}},
	{meaning{kind: schemas.TypeLogin}, []string{"Signed In", "User Signed In", "Logged In", "User Logged In"}},
	{meaning{kind: schemas.TypeLogout}, []string{"Signed Out", "User Signed Out", "Logged Out", "User Logged Out"}},
	{meaning{kind: schemas.TypeAccountDeleted}, []string{"Account Deleted", "Deleted Account"}},
	{meaning{kind: schemas.TypeDemoRequest}, []string{"Demo Requested", "Requested Demo", "Requested a Demo", "Demo Request Submitted", "Demo Booked",
		"Demo Scheduled"}},
	// Apps: an opened or updated app is custom, since only the first start is an install.
	{meaning{schemas.TypeAppInstall, schemas.ChannelApp, 0}, []string{"Application Installed"}},
	{meaning{schemas.TypeCustom, schemas.ChannelApp, roleNamed}, []string{"Application Opened", "Application Updated", "Application Backgrounded",
		"Application Foregrounded", "Application Uninstalled", "Application Crashed"}},
	// Experiments, surveys, consent, visits.
	{meaning{kind: schemas.TypeCustom, role: roleNamed | roleExperiment}, []string{"Experiment Viewed", "Viewed Experiment"}},
	{meaning{kind: schemas.TypeSurveyAnswer, role: roleSurvey}, []string{"Survey Answered", "Answered Survey", "Survey Submitted"}},
	{meaning{kind: schemas.TypeConsentUpdate, role: roleConsent}, []string{"Segment Consent Preference Updated", "Segment Consent Preference"}},
	{meaning{schemas.TypeStoreVisit, schemas.ChannelStore, 0}, []string{"Store Visited", "Visited Store", "Store Visit", "Store Entered", "Entered Store",
		"Store Checked In"}},
}

// names is nameTable by folded name.
var names = func() map[string]meaning {
	byName := make(map[string]meaning)
	for _, row := range nameTable {
		for _, name := range row.names {
			byName[string(field.Fold(nil, name))] = row.meaning
		}
	}
	return byName
}()

// written tells the row of nameTable, from 1 on, by a name as it is written there, which is how most producers write it.
var written = func() *field.Words {
	rows := make(map[uint8][]string)
	for i, row := range nameTable {
		rows[uint8(i+1)] = row.names
	}
	return field.NewWords(rows)
}()

// meaningOf looks a track call's name up.
func meaningOf(name string) meaning {
	if row := written.Of(name); row > 0 {
		return nameTable[row-1].meaning
	}
	if len(name) > nameLengthMax {
		return custom
	}
	var buffer [nameLengthMax]byte
	if known, ok := names[string(field.Fold(buffer[:0], name))]; ok {
		return known
	}
	return custom
}

// callTypes are the types of the specs.
var callTypes = []string{"track", "page", "screen", "identify", "alias", "group", "merge"}

// meaningOfCall gives what the whole call means, and false for a type that the specs do not have.
func (c *call) meaningOfCall() (meaning, bool) {
	if m, ok := c.meaningOfType(); ok {
		return m, true
	}
	for _, name := range callTypes {
		if strings.EqualFold(c.kind, name) {
			c.kind = name
		}
	}
	return c.meaningOfType()
}

// meaningOfType is meaningOfCall for a type in lower case.
func (c *call) meaningOfType() (meaning, bool) {
	switch c.kind {
	case "track":
		return meaningOf(c.event), true
	case "page":
		return meaning{kind: schemas.TypePageView, role: rolePage}, true
	case "screen":
		return meaning{kind: schemas.TypeScreenView, role: rolePage}, true
	case "identify":
		return meaning{kind: schemas.TypeIdentify}, true
	case "alias", "merge":
		return meaning{kind: schemas.TypeAlias}, true
	case "group":
		return meaning{kind: schemas.TypeGroup}, true
	}
	return meaning{}, false
}
