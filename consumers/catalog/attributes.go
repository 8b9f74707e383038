package catalog

import "github.com/seamline/seamline/consumers/field"

// attribute is what a column or member means.
type attribute uint8

const (
	attributeOther attribute = iota // kept as it stands
	attributeSKU
	attributeOfferID // the same, and chosen before an id of the platform
	attributeTitle
	attributeCategory
	attributeOtherCategory // of Google's taxonomy, where the shop names none of its own
	attributeBrand
	attributePrice
	attributeSalePrice
	attributeSaleTime
	attributeCost
	attributeCurrency
	attributeAvailability
	attributeQuantity
	attributeStore
	attributeLink
	attributeCountry
	attributeTime
	attributeKept  // kept under its usual name
	attributeInner // an object that holds more attributes
	attributeNone  // left out: long texts, and what tells nothing about the product
)

// meaning is an attribute, and under which name it is kept.
type meaning struct {
	attribute attribute
	name      string
}

// attributeTable lists the names of attributes: those of Google Merchant feeds, of the Content and Merchant APIs, and our own. Names are
// compared without case, spaces and punctuation, so that sale_price, salePrice and "sale price" are one.
var attributeTable = map[attribute][]string{
	attributeSKU:           {"id", "item_id", "product_id"},
	attributeOfferID:       {"offer_id", "sku"},
	attributeTitle:         {"title", "name"},
	attributeCategory:      {"product_type", "product_types", "category"},
	attributeOtherCategory: {"google_product_category"},
	attributeBrand:         {"brand"},
	attributePrice:         {"price"},
	attributeSalePrice:     {"sale_price"},
	attributeSaleTime:      {"sale_price_effective_date"},
	attributeCost:          {"cost_of_goods_sold", "cost"},
	attributeCurrency:      {"currency"},
	attributeAvailability:  {"availability"},
	attributeQuantity:      {"quantity", "stock"},
	attributeStore:         {"store_code", "store_id"},
	attributeLink:          {"link", "url"},
	attributeCountry:       {"target_country", "feed_label"},
	attributeTime:          {"updated", "updated_at", "last_updated", "last_update_date", "time"},
	attributeInner:         {"attributes", "product_attributes", "local_inventory_attributes", "product", "local_inventory"},
	attributeNone: {"description", "additional_image_link", "additional_image_links", "merchant_id", "batch_id", "kind", "method", "etag", "target_countries",
		"content_language", "product_highlight", "product_highlights", "product_detail", "product_details", "structured_title", "structured_description"},
}

// keptNames are attributes without a column that are kept under these names, however they are written.
var keptNames = []string{"gtin", "mpn", "item_group_id", "image_link", "condition", "availability_date", "expiration_date", "color", "size", "gender", "age_group",
	"material", "pattern", "identifier_exists", "pickup_method", "pickup_sla", "unit_pricing_measure", "unit_pricing_base_measure", "custom_label_0", "custom_label_1",
	"custom_label_2", "custom_label_3", "custom_label_4", "mobile_link", "shipping_weight", "multipack", "is_bundle", "loyalty_program"}

// attributeLengthMax bounds the names that are looked up, folded.
const attributeLengthMax = 48

// attributes is attributeTable and keptNames by folded name.
var attributes = func() map[string]meaning {
	byName := map[string]meaning{}
	for a, names := range attributeTable {
		for _, name := range names {
			byName[string(field.Fold(nil, name))] = meaning{a, name}
		}
	}
	for _, name := range keptNames {
		byName[string(field.Fold(nil, name))] = meaning{attributeKept, name}
	}
	return byName
}()

// meaningOf looks the name of an attribute up. RSS exports write g: before it.
func meaningOf(name string) meaning {
	if len(name) > 2 && (name[0] == 'g' || name[0] == 'G') && name[1] == ':' {
		name = name[2:]
	}
	if len(name) > attributeLengthMax {
		return meaning{}
	}
	var buffer [attributeLengthMax]byte
	return attributes[string(field.Fold(buffer[:0], name))]
}

// attributeOf is meaningOf for who need not know the name.
func attributeOf(name string) attribute {
	if what := meaningOf(name).attribute; what != attributeOfferID {
		return what
	}
	return attributeSKU
}

// availabilityOf gives the word for an availability in any spelling, also of schema.org; empty for what is none.
func availabilityOf(word string) string {
	for i := len(word) - 1; i >= 0; i-- {
		if word[i] == '/' {
			word = word[i+1:]
			break
		}
	}
	if len(word) > attributeLengthMax {
		return ""
	}
	var buffer [attributeLengthMax]byte
	switch string(field.Fold(buffer[:0], word)) {
	case "instock", "available", "limitedavailability", "onlineonly", "instoreonly":
		return inStock
	case "outofstock", "soldout", "unavailable", "discontinued":
		return outOfStock
	case "preorder", "presale":
		return "preorder"
	case "backorder", "availablefororder", "ondisplaytoorder", "madetoorder":
		return "backorder"
	}
	return ""
}

// The availabilities that tell of pieces.
const (
	inStock    = "in_stock"
	outOfStock = "out_of_stock"
)
