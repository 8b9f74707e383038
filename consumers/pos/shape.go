package pos

import (
	"github.com/seamline/seamline/consumers/field"
	"github.com/seamline/seamline/schemas"
)

// shape is what an object is, told by the names of its members.
type shape uint8

const (
	shapeUnknown shape = iota
	shapeReceipt
	shapeSquareEvent
	shapeSquareOrder
	shapeSquarePayment
	shapeSquareRefund
	shapeShopifyOrder
	shapeShopifyRefund
	shapeLightspeed
	shapeWrapped // one of the others stands in a member
)

// mark is one hint that the name of a member gives.
type mark uint32

const (
	markReceiptID     mark = 1 << iota
	markLines              // lines, tenders: what only Seamline names so, or shares with Square
	markStoreID            //
	markMerchant           // merchant_id
	markData               // data
	markType               // type
	markWrapper            // order, payment, refund, payload
	markShopify            // what only Shopify's orders have
	markLineItems          // line_items
	markShopifyRefund      // refund_line_items
	markOrderID            // order_id
	markTransactions       // transactions
	markLightspeed         // what only Lightspeed's sales have
	markOutlet             // outlet_id, register_id
	markSaleDate           // sale_date, invoice_number
	markSquareOrder        // what only Square's orders have
	markLocation           // location_id
	markState              // state
	markAmountMoney        // amount_money
	markPaymentID          // payment_id
	markPayment            // what only Square's payments have
)

// marks gives the hint of a member.
func marks(key string) mark {
	switch key {
	case "receipt_id":
		return markReceiptID
	case "lines":
		return markLines
	case "store_id":
		return markStoreID
	case "merchant_id":
		return markMerchant
	case "data":
		return markData
	case "type":
		return markType
	case "order", "payment", "refund", "payload":
		return markWrapper
	case "financial_status", "total_price_set", "order_number", "source_name", "total_line_items_price", "fulfillment_status", "cancelled_at", "checkout_token":
		return markShopify
	case "line_items":
		return markLineItems
	case "refund_line_items":
		return markShopifyRefund
	case "order_id":
		return markOrderID
	case "transactions":
		return markTransactions
	case "register_sale_products", "register_sale_payments":
		return markLightspeed
	case "outlet_id", "register_id":
		return markOutlet
	case "sale_date", "invoice_number":
		return markSaleDate
	case "returns", "net_amounts", "total_money", "return_amounts":
		return markSquareOrder
	case "location_id":
		return markLocation
	case "state":
		return markState
	case "amount_money":
		return markAmountMoney
	case "payment_id":
		return markPaymentID
	case "source_type", "card_details":
		return markPayment
	}
	return 0
}

// firstKey gives the name of an object's first member.
func (s *scratch) firstKey(raw []byte) string {
	r := field.NewReader(raw, s.out)
	if !r.Object() || !r.Next() {
		return ""
	}
	return r.Key
}

// shapeOf tells what an object is, and whether raw is well-formed and nothing but that object.
func (s *scratch) shapeOf(raw []byte) (kind shape, ok bool) {
	var m mark
	r := field.NewReader(raw, s.out)
	for r.Object(); r.Next(); r.Skip() {
		m |= marks(r.Key)
	}
	return m.shape(), r.Done()
}

// shape tells what has such members. Each line asks for members that the lines below it lack, so their order matters.
func (m mark) shape() shape {
	has := func(all mark) bool { return m&all == all }
	switch {
	case has(markReceiptID), has(markLines | markStoreID):
		return shapeReceipt
	case has(markMerchant | markType | markData):
		return shapeSquareEvent
	case has(markShopifyRefund), has(markOrderID | markTransactions):
		return shapeShopifyRefund
	case has(markLightspeed), has(markOutlet | markSaleDate):
		return shapeLightspeed
	case has(markAmountMoney | markPaymentID):
		return shapeSquareRefund
	case has(markAmountMoney | markPayment):
		return shapeSquarePayment
	case has(markShopify) && m&(markLineItems|markSquareOrder) == markLineItems:
		return shapeShopifyOrder
	case has(markLocation | markSquareOrder), has(markLocation | markState):
		return shapeSquareOrder
	case m&markWrapper != 0:
		return shapeWrapped
	}
	return shapeUnknown
}

// wrapped reads the object in a member order, payment or refund, as APIs answer, or payload, as gateways write webhook forms in JSON.
func (s *scratch) wrapped(raw []byte) {
	inner, name := []byte(nil), ""
	r := field.NewReader(raw, s.out)
	for r.Object(); r.Next(); {
		switch r.Key {
		case "order", "payment", "refund", "payload":
			name = r.Key
			if name == "payload" && r.Kind() == field.KindString {
				s.text = append(s.text[:0], r.Text()...)
				inner = s.decoded(s.text)
				continue
			}
			inner = r.Raw()
		default:
			r.Skip()
		}
	}
	if len(inner) == 0 || inner[0] != '{' {
		s.out.Reject(schemas.ReasonUnknownFormat, noShape)
		return
	}
	if name == "payload" && !s.clean(inner) {
		return
	}
	switch kind, _ := s.shapeOf(inner); {
	case kind == shapeWrapped:
		s.out.Reject(schemas.ReasonUnknownFormat, noShape)
	case kind == shapeUnknown && name == "payment":
		s.squareShort(inner, s.squarePayment)
	case kind == shapeUnknown && name == "refund":
		s.squareShort(inner, s.squareRefund)
	default:
		s.object(kind, inner)
	}
}

// squareShort reads a payment or refund that lacks the members by which it is known elsewhere.
func (s *scratch) squareShort(inner []byte, read func([]byte)) {
	if s.anyMember(inner, "amount_money") == nil {
		s.out.Reject(schemas.ReasonUnknownFormat, noShape)
		return
	}
	read(inner)
}

// noShape is the detail of a reject.
const noShape = "no known till's receipt, order, sale or refund"
