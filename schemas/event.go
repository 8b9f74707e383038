package schemas

// Identifier is one name of a person: a namespace and a value. Value is as the producer wrote it until stitch normalises it.
type Identifier struct {
	Namespace string `json:"namespace"`
	Value     string `json:"value"`
}

// The namespaces that Seamline's decoders give. Rules may know others.
const (
	NamespaceUserID      = "user_id"
	NamespaceLoyaltyID   = "loyalty_id"
	NamespaceEmail       = "email"
	NamespacePhone       = "phone"
	NamespaceCard        = "card"      // a processor's stable fingerprint
	NamespaceCardWeak    = "card_weak" // BIN, last four digits and brand: evidence only
	NamespaceDeviceID    = "device_id"
	NamespaceAnonymousID = "anonymous_id"
	NamespaceKioskID     = "kiosk_id"
	NamespaceMessageID   = "message_id" // evidence only
	NamespaceOrderID     = "order_id"   // evidence only: lets a refund without a customer find its sale
	NamespaceIP          = "ip"         // evidence only
)

// Campaign is what brought the person, or what the message was part of.
type Campaign struct {
	ID     string `json:"id,omitempty"`
	Source string `json:"source,omitempty"`
	Medium string `json:"medium,omitempty"`
	Name   string `json:"name,omitempty"`
}

// Item is one line of an order, receipt, refund, cart or list. Amounts are as sold: refunds are made negative by OrderSign.
type Item struct {
	LineID    string  `json:"line_id,omitempty"` // the producer's, or the 1-based position
	SKU       string  `json:"sku,omitempty"`
	Name      string  `json:"name,omitempty"`
	Category  string  `json:"category,omitempty"`
	Brand     string  `json:"brand,omitempty"`
	Quantity  Decimal `json:"quantity,omitempty"`
	UnitPrice Decimal `json:"unit_price,omitempty"`
	Discount  Decimal `json:"discount,omitempty"`
	Total     Decimal `json:"total,omitempty"`
	Cost      Decimal `json:"cost,omitempty"` // of the whole line
}

// Events of the catalog are in canonical form like all others. A price_change has SKU, Amount (what the product costs now), Currency, StoreID
// (empty: everywhere), PageURL (its page), Variant (in_stock, out_of_stock, preorder, backorder; empty where nothing was said), and one item
// with Name, Category, Brand, UnitPrice (list price), Discount (list price less Amount), Total (Amount) and Cost (of one piece). A
// stock_change has SKU, StoreID (empty: online), Quantity (pieces there now, absolute), and Variant.

// Event is one thing that happened, in canonical form. Decoders fill the first part; each later part names who fills it.
// Strings may alias the bytes of the record they came from: they live as long as the batch, and state copies what it keeps.
type Event struct {
	ID       string  `json:"id"`     // the producer's event id, or a deterministic hash of the content
	Source   string  `json:"source"` // kind of producer: segment, rudderstack, sendgrid, mailgun, postmark, ses, brevo, seamline, square, shopify, lightspeed, ...
	Channel  Channel `json:"channel"`
	Type     Type    `json:"type"`
	Time     Time    `json:"time"`               // when it happened, corrected for clock skew
	Received Time    `json:"received,omitempty"` // when the producer's server received it; the record's time where it says nothing

	Identifiers []Identifier `json:"identifiers,omitempty"`

	OrderID      string   `json:"order_id,omitempty"`
	OrderVersion int64    `json:"order_version,omitempty"` // grows with each whole-object update of an order; 0 where the producer has none
	SKU          string   `json:"sku,omitempty"`           // of single-product events
	Quantity     Decimal  `json:"quantity,omitempty"`
	Amount       Decimal  `json:"amount,omitempty"` // as the producer gave it, never negative for order, refund and void; order total, refund total, product value
	Currency     string   `json:"currency,omitempty"`
	StoreID      string   `json:"store_id,omitempty"`
	PageURL      string   `json:"page_url,omitempty"`
	PagePath     string   `json:"page_path,omitempty"`
	Referrer     string   `json:"referrer,omitempty"`
	Campaign     Campaign `json:"campaign,omitzero"`
	MessageID    string   `json:"message_id,omitempty"`
	LinkURL      string   `json:"link_url,omitempty"`
	Variant      string   `json:"variant,omitempty"` // experiment arm or product variant
	DwellMillis  int64    `json:"dwell_ms,omitempty"`
	Machine      bool     `json:"machine,omitempty"`    // an open or click by a bot or a privacy proxy
	Country      string   `json:"country,omitempty"`    // ISO 3166 alpha-2, upper case
	Properties   string   `json:"properties,omitempty"` // JSON object of what has no column; "" for none; never contact data
	Items        []Item   `json:"items,omitempty"`

	Consents  []Consent `json:"consents,omitempty"`   // of consent_update: answers by purpose
	Contacts  []Contact `json:"contacts,omitempty"`   // what traits and addresses say of the person, for hashes only; nil for most events
	Answer    Answer    `json:"answer,omitzero"`      // of survey_answer
	AccountID string    `json:"account_id,omitempty"` // company or other group that the person acts for
	Redeemed  Decimal   `json:"redeemed,omitempty"`   // part of an order's amount that was paid with loyalty points or vouchers

	Command Command `json:"command,omitzero"` // of the feed of commands; its Kind is CommandNone for what happened to people

	Record  *Record `json:"-"` // where it came from; filled by the decode stage
	Element int     `json:"-"` // position within the record; filled by the decode stage

	Print  [2]uint64 `json:"-"` // filled by Prepare of dedup: stands for source and id; zero before
	Device uint64    `json:"-"` // filled by Prepare of score: stands for the device that the event names; 0 for none, and before

	IdentifierIDs []uint64  `json:"-"` // filled by stitch: ids of the identifiers table, highest priority first
	Leaf          uint32    `json:"-"` // filled by stitch: the leaf that the event belongs to; 0 for none
	Profile       uint32    `json:"-"` // filled by stitch: the dense index of the profile; 0 for none
	ProfileID     ProfileID `json:"-"` // filled by stitch; zero where no person is known

	SessionID uint64  `json:"-"` // filled by score; 0 for none
	Revenue   Decimal `json:"-"` // filled by score: signed change of net revenue, so that its sum over all events is the net revenue
}

// Identify appends an identifier, unless its value is empty.
func (e *Event) Identify(namespace, value string) {
	if value != "" {
		e.Identifiers = append(e.Identifiers, Identifier{Namespace: namespace, Value: value})
	}
}

// OrderSign gives +1 for events that sell, -1 for those that take a sale back, 0 for all others.
func (e *Event) OrderSign() Decimal {
	switch e.Type {
	case TypeOrder, TypeOrderUpdate:
		return 1
	case TypeRefund, TypeVoid, TypeOrderCancel:
		return -1
	}
	return 0
}

// reset clears the event for reuse.
func (e *Event) reset() { *e = Event{} }
