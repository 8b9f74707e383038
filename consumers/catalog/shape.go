package catalog

import (
	"github.com/seamline/seamline/consumers/field"
)

// shapeKind is what an object is, told by the names of its members.
type shapeKind uint8

const (
	shapeUnknown     shapeKind = iota
	shapeItem                  // a product or a stock row
	shapeCount                 // a count of Square
	shapeList                  // rows stand in a member
	shapeSquareEvent           // counts stand in the object of its data
)

// shape is what an object is, and where its rows stand.
type shape struct {
	kind shapeKind
	list []byte // an array; of a webhook of Square, its data
}

// shapeOf tells what an object is, and whether raw is well-formed and nothing but that object.
func (s *scratch) shapeOf(raw []byte) (what shape, ok bool) {
	var list, data []byte
	var square, merchant, item bool
	r := field.NewReader(raw, s.out)
	r.Object()
	for r.Next() {
		switch r.Key {
		case "items", "products", "resources", "entries", "counts", "inventory_counts":
			if r.Kind() == field.KindArray {
				list = r.Raw()
				continue
			}
		case "data":
			data = r.Raw()
			continue
		case "catalog_object_id":
			square = true
		case "merchant_id":
			merchant = true
		default:
			switch attributeOf(r.Key) {
			case attributeSKU, attributePrice, attributeQuantity, attributeInner:
				item = true
			}
		}
		r.Skip()
	}
	switch {
	case square:
		what.kind = shapeCount
	case item:
		what.kind = shapeItem
	case list != nil:
		what = shape{shapeList, list}
	case merchant && len(data) > 0 && data[0] == '{':
		what = shape{shapeSquareEvent, data}
	}
	return what, r.Done()
}
