package shoppers

// kind is one sort of event in one wire format.
type kind uint8

const (
	kindPage kind = iota
	kindScreen
	kindListViewed
	kindListFiltered
	kindSearched
	kindProductViewed
	kindProductClicked
	kindAdded
	kindRemoved
	kindCartViewed
	kindCheckoutStarted
	kindStepViewed
	kindStepCompleted
	kindOrder
	kindOrderRefunded
	kindWishAdded
	kindWishRemoved
	kindCouponApplied
	kindCouponDenied
	kindPromoViewed
	kindPromoClicked
	kindShared
	kindReviewed
	kindLocator
	kindPickedUp
	kindSignedUp
	kindSignedIn
	kindSignedOut
	kindInstalled
	kindIdentify
	kindAlias
	kindGroup
	kindMerge
	kindReceipt
	kindReceiptRefund
	kindReceiptVoid
	kindSquareSale
	kindSquareReturn
	kindShopifyOrder
	kindShopifyRefund
	kindLightspeedSale
	kindLightspeedReturn
	kindMail // the first of providers * mailSteps kinds
	kindEnd  = kindMail + kind(providers)*kind(mailSteps)
)

// kindNames are the wire name and our canonical type of each kind but those of mail.
var kindNames = [kindMail][2]string{
	kindPage:       {"segment/page", "page_view"},
	kindScreen:     {"segment/screen", "screen_view"},
	kindListViewed: {"segment/Product List Viewed", "product_list_view"}, kindListFiltered: {"segment/Product List Filtered", "product_list_view"},
	kindSearched: {"segment/Products Searched", "search"}, kindProductViewed: {"segment/Product Viewed", "product_view"},
	kindProductClicked: {"segment/Product Clicked", "product_click"}, kindAdded: {"segment/Product Added", "cart_add"},
	kindRemoved: {"segment/Product Removed", "cart_remove"}, kindCartViewed: {"segment/Cart Viewed", "cart_view"},
	kindCheckoutStarted: {"segment/Checkout Started", "checkout_start"}, kindStepViewed: {"segment/Checkout Step Viewed", "checkout_step"},
	kindStepCompleted: {"segment/Checkout Step Completed", "checkout_step"}, kindOrder: {"segment/Order Completed", "order"},
	kindOrderRefunded: {"segment/Order Refunded", "refund"}, kindWishAdded: {"segment/Product Added to Wishlist", "wishlist_add"},
	kindWishRemoved: {"segment/Product Removed from Wishlist", "wishlist_remove"}, kindCouponApplied: {"segment/Coupon Applied", "coupon_applied"},
	kindCouponDenied: {"segment/Coupon Denied", "coupon_denied"}, kindPromoViewed: {"segment/Promotion Viewed", "promo_view"},
	kindPromoClicked: {"segment/Promotion Clicked", "promo_click"}, kindShared: {"segment/Product Shared", "share"},
	kindReviewed: {"segment/Product Reviewed", "review"}, kindLocator: {"segment/Store Locator Used", "custom"},
	kindPickedUp: {"segment/Order Picked Up", "custom"}, kindSignedUp: {"segment/Signed Up", "signup"}, kindSignedIn: {"segment/Signed In", "login"},
	kindSignedOut: {"segment/Signed Out", "logout"}, kindInstalled: {"segment/Application Installed", "app_install"},
	kindIdentify: {"segment/identify", "identify"}, kindAlias: {"segment/alias", "alias"}, kindGroup: {"segment/group", "group"},
	kindMerge: {"rudderstack/merge", "alias"}, kindReceipt: {"seamline/sale", "order"}, kindReceiptRefund: {"seamline/refund", "refund"},
	kindReceiptVoid: {"seamline/void", "void"}, kindSquareSale: {"square/sale", "order"}, kindSquareReturn: {"square/return", "refund"},
	kindShopifyOrder: {"shopify/order", "order"}, kindShopifyRefund: {"shopify/refund", "refund"},
	kindLightspeedSale: {"lightspeed/sale", "order"}, kindLightspeedReturn: {"lightspeed/return", "refund"},
}

// names returns the wire name and the canonical type.
func (k kind) names() (wire, canonical string) {
	if k < kindMail {
		return kindNames[k][0], kindNames[k][1]
	}
	p, step := provider((k-kindMail)/kind(mailSteps)), mailStep((k-kindMail)%kind(mailSteps))
	return p.name() + "/" + mailStepNames[step][0], mailStepNames[step][1]
}

// ledger is the truth while it grows.
type ledger struct {
	kinds       [kindEnd]uint64
	spent       spending
	records     map[string]uint64
	bytes       map[string]uint64
	malformed   map[string]map[string]uint64 // topic, reason
	late        uint64                       // events
	duplicates  uint64                       // events
	resent      uint64                       // records
	framed      uint64
	cloudEvents uint64
	training    uint64
	skewed      uint64
	placeholder uint64 // events
	fillers     uint64 // events
	shared      uint64 // events on shared tablets
	kiosk       uint64 // events at kiosks
	bot         uint64 // events
	humanOpens  uint64
	machine     uint64

	households   map[int]bool // tablets that were seen
	kiosks       map[int]bool
	bots         map[int]bool
	placeholders map[[2]string]bool
	events       map[uint64]uint32 // hash of the event id to person * 2 + identified, nil when not wanted
}

// nobody is the person in events of crawlers.
const nobody = 1<<31 - 1

func (b *ledger) init(g *Generator) {
	b.records, b.bytes = map[string]uint64{}, map[string]uint64{}
	b.malformed = map[string]map[string]uint64{}
	b.households, b.kiosks, b.bots = map[int]bool{}, map[int]bool{}, map[int]bool{}
	b.placeholders = map[[2]string]bool{}
	if g.cfg.EventTruth {
		b.events = map[uint64]uint32{}
	}
}

// sent counts a record that leaves.
func (b *ledger) sent(r *Record) {
	b.records[r.Topic]++
	b.bytes[r.Topic] += uint64(len(r.Value))
}

// happened books one event: what it was, whose it was, and which identifiers of its person it carries.
// id is the hash of its event id.
func (g *Generator) happened(k kind, id uint64, p *person, set slotSet) {
	g.book.kinds[k]++
	who := uint32(nobody)
	if p != nil {
		who = uint32(p.index)
		s := &g.shoppers[p.index]
		s.events++
		if set.core() {
			s.identified++
		}
		s.link(set)
	}
	if g.book.events == nil {
		return
	}
	entry := who << 1
	if set.core() {
		entry |= 1
	}
	g.book.events[id] = entry
}

// spent books money of a person.
func (g *Generator) spent(p *person, ch channel, a amounts, identified bool) {
	g.shoppers[p.index].spending.add(ch, a, identified)
	g.book.spent.add(ch, a, identified)
}
