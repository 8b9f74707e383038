package clickstream

import (
	"cmp"

	"github.com/seamline/seamline/consumers/field"
	"github.com/seamline/seamline/schemas"
)

// facts is what the properties of one call say that has a column of its own, before it is known whether it will be put there.
type facts struct {
	person person

	orderID      string
	orderNumber  string
	currency     string
	affiliation  string
	storeID      string
	salesChannel string // where the sale was made, by any of its usual keys

	total    field.Decimal
	revenue  field.Decimal
	value    field.Decimal
	items    []byte // products as they stand
	product  product
	pageURL  string
	pagePath string
	referrer string

	campaignID   string
	campaignName string
	messageID    string
	linkURL      string
	armName      string
	armID        string
	survey       survey
	dwellMillis  int64
}

// read reads properties, or the traits of identify and group, and keeps in s.properties what has no column.
func (f *facts) read(s *scratch, what meaning) {
	c := &s.call
	switch what.kind {
	case schemas.TypeIdentify:
		f.readTraits(s)
	case schemas.TypeGroup:
		// Contact data in a group's traits is the company's, so nobody is identified by it.
		s.properties.AddObject(c.traits, nil)
	default:
		if c.traits != nil {
			traits := field.NewReader(c.traits, s.out)
			f.person.read(&traits)
		}
	}
	if c.properties != nil {
		r := field.NewReader(c.properties, s.out)
		f.readProperties(&r, s, what)
	}
}

// readProperties reads properties.
func (f *facts) readProperties(r *field.Reader, s *scratch, what meaning) {
	if !r.Object() {
		return
	}
	for r.Next() {
		groups := propertyGroups.Of(r.Key)
		switch {
		case groups == 0:
			s.keep(r)
		case groups&groupTrade != 0 && f.readTrade(r, s, what):
		case groups&groupProduct != 0 && what.role&roleProduct != 0 && f.readProduct(r, s):
		case groups&groupPage != 0 && what.role&rolePage != 0 && f.readPage(r):
		case groups&groupMessage != 0 && what.role&(roleMessage|roleExperiment) != 0 && f.readMessage(r, what):
		case groups&groupSurvey != 0 && what.role&roleSurvey != 0 && f.survey.read(r, s):
		case groups&groupOther != 0 && f.readOther(r):
		default:
			s.keep(r)
		}
	}
}

// keep puts the current member into the properties as it stands.
func (s *scratch) keep(r *field.Reader) {
	key := r.Key
	s.properties.Add(key, r.Raw())
}

// The groups of properties that have a column of their own, one bit each.
const (
	groupTrade uint8 = 1 << iota
	groupProduct
	groupPage
	groupMessage
	groupOther
	groupSurvey
)

// propertyGroups tells by the key of a property which groups may have it, so that most keys are looked up once. A key that is missing
// here is never read: TestPropertyGroups holds the groups against what reads them.
var propertyGroups = field.NewWords(map[uint8][]string{
	groupTrade: {"order_id", "orderId", "order_number", "orderNumber", "currency", "affiliation", "store_id", "storeId", "total", "value", "revenue",
		"products", "items", "channel", "sales_channel", "salesChannel", "purchase_channel", "order_source", "source"},
	groupProduct: {"price", "quantity", "sku", "product_id", "productId", "productID", "name", "product_name", "productName", "category", "brand", "variant"},
	groupPage:    {"url", "path", "referrer"},
	groupMessage: {"variation_name", "variationName", "variant_name", "variantName", "variation_id", "variationId", "variant_id", "variantId", "variant",
		"email_id", "emailId", "message_id", "messageId", "link_url", "linkUrl"},
	groupOther: {"email", "phone", "loyalty_id", "loyaltyId", "campaign_id", "campaignId", "campaign_name", "campaignName", "dwell_ms", "dwellMs",
		"engagement_time_msec", "time_on_page", "timeOnPage"},
	groupSurvey: {"survey_id", "surveyId", "survey", "kind", "survey_type", "surveyType", "score", "nps", "csat", "rating", "comment"},
})

// readTraits reads the traits of an identify call; a name in them is a person's.
func (f *facts) readTraits(s *scratch) {
	for o := field.ObjectOf(s.call.traits); o.Next(); {
		member := field.NewReader(o.Value, s.out)
		member.Key = o.Key
		f.person.readTrait(&member)
		switch o.Key {
		case "loyalty_id", "loyaltyId":
			continue
		}
		s.properties.AddTrait(o.Key, o.Value)
	}
}

// readTrade reads members about orders and money. Those that may turn out to have no column are added to the properties later.
func (f *facts) readTrade(r *field.Reader, s *scratch, what meaning) bool {
	switch r.Key {
	case "order_id", "orderId":
		f.orderID = r.Text()
	case "order_number", "orderNumber":
		f.orderNumber = r.Text()
	case "currency":
		f.currency = r.Text()
	case "affiliation":
		f.affiliation = r.Text()
	case "store_id", "storeId":
		f.storeID = r.Text()
	case "total":
		f.total = readNumber(r, s)
	case "value":
		f.value = readNumber(r, s)
	case "revenue":
		key := r.Key
		raw, word := r.RawText()
		f.revenue = field.DecimalOf(word)
		s.properties.Add(key, raw)
	case "products", "items":
		key, raw := r.Key, r.Raw()
		if len(raw) == 0 || raw[0] != '[' && raw[0] != '{' {
			s.properties.Add(key, raw)
			break
		}
		f.items = raw
		// The lines of an order have a table of their own; lists, carts and checkouts have none.
		if what.role&roleOrder == 0 {
			s.properties.Add(key, raw)
		}
	case "channel", "sales_channel", "salesChannel", "purchase_channel", "order_source", "source":
		key := r.Key
		raw, word := r.RawText()
		if pointOfSale(word) {
			f.salesChannel = word
		}
		s.properties.Add(key, raw)
	default:
		return false
	}
	return true
}

// readNumber reads a number; what is none stays in the properties.
func readNumber(r *field.Reader, s *scratch) field.Decimal {
	key := r.Key
	raw, word := r.RawText()
	number := field.DecimalOf(word)
	if number.Bad {
		s.properties.Add(key, raw)
	}
	return number
}

// readProduct reads the product that the whole call is about.
func (f *facts) readProduct(r *field.Reader, s *scratch) bool {
	switch r.Key {
	case "price":
		f.product.price = readNumber(r, s)
	case "quantity":
		f.product.quantity = readNumber(r, s)
	default:
		return f.product.read(r)
	}
	return true
}

// readPage reads the page that was seen.
func (f *facts) readPage(r *field.Reader) bool {
	switch r.Key {
	case "url":
		f.pageURL = r.Text()
	case "path":
		f.pagePath = r.Text()
	case "referrer":
		f.referrer = r.Text()
	default:
		return false
	}
	return true
}

// readMessage reads what a message or an experiment is told by.
func (f *facts) readMessage(r *field.Reader, what meaning) bool {
	if what.role&roleExperiment != 0 {
		switch r.Key {
		case "variation_name", "variationName", "variant_name", "variantName":
			f.armName = r.Text()
		case "variation_id", "variationId", "variant_id", "variantId", "variant":
			f.armID = r.Text()
		default:
			return false
		}
		return true
	}
	switch r.Key {
	case "email_id", "emailId":
		f.messageID = r.Text()
	case "message_id", "messageId":
		if id := r.Text(); f.messageID == "" {
			f.messageID = id
		}
	case "link_url", "linkUrl":
		f.linkURL = r.Text()
	default:
		return false
	}
	return true
}

// readOther reads members that mean the same in every call.
func (f *facts) readOther(r *field.Reader) bool {
	switch r.Key {
	case "email", "phone", "loyalty_id", "loyaltyId":
		f.person.readMember(r)
	case "campaign_id", "campaignId":
		f.campaignID = r.Text()
	case "campaign_name", "campaignName":
		f.campaignName = r.Text()
	case "dwell_ms", "dwellMs", "engagement_time_msec":
		f.dwell(r, 1)
	case "time_on_page", "timeOnPage":
		f.dwell(r, int64(schemas.Second))
	default:
		return false
	}
	return true
}

// dwell reads how long a page was looked at, in units of so many milliseconds: dwell_ms and engagement_time_msec in milliseconds,
// time_on_page in seconds. Negative and unreadable times count as none.
func (f *facts) dwell(r *field.Reader, unitMillis int64) {
	if d := r.Decimal(); d.Set && d.Value > 0 && d.Value <= dwellMax {
		f.dwellMillis = int64(d.Value) * unitMillis / int64(schemas.DecimalOne)
	}
}

// dwellMax bounds a given dwell time, whatever its unit, so that it fits.
const dwellMax = 1_000_000_000 * schemas.DecimalOne

// place puts page, campaign and dwell time into the event.
func (f *facts) place(e *schemas.Event, c *call, what meaning) {
	e.PageURL = cmp.Or(f.pageURL, c.context.pageURL)
	e.PagePath = cmp.Or(f.pagePath, c.context.pagePath)
	if e.PagePath == "" {
		e.PagePath = field.URLPath(e.PageURL)
	}
	e.Referrer = cmp.Or(f.referrer, c.context.referrer)
	e.Campaign = c.context.campaign
	if what.role&roleMessage != 0 {
		// The message's own campaign, not the one that a page was opened with.
		e.Campaign.ID, e.Campaign.Name = cmp.Or(f.campaignID, e.Campaign.ID), cmp.Or(f.campaignName, e.Campaign.Name)
	} else {
		e.Campaign.ID, e.Campaign.Name = cmp.Or(e.Campaign.ID, f.campaignID), cmp.Or(e.Campaign.Name, f.campaignName)
	}
	e.DwellMillis = f.dwellMillis
}

// message puts a message's ids or an experiment's arm into the event.
func (f *facts) message(e *schemas.Event, c *call, what meaning) {
	e.MessageID, e.LinkURL = f.messageID, f.linkURL
	if what.role&roleExperiment != 0 {
		e.Variant = cmp.Or(f.armName, f.armID)
	}
}

// country takes the place of the call before the person's address.
func (f *facts) country(e *schemas.Event, c *call) {
	e.Country = cmp.Or(c.context.country, f.person.country, c.context.person.country)
}
