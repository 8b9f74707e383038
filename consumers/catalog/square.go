package catalog

import (
	"github.com/seamline/seamline/consumers/field"
	"github.com/seamline/seamline/schemas"
)

// squareEvent reads the counts in the data of a webhook inventory.count.updated.
func (s *scratch) squareEvent(data []byte) {
	var counts []byte
	r := field.NewReader(data, s.out)
	for r.Object(); r.Next(); {
		if r.Key != "object" {
			r.Skip()
			continue
		}
		if !r.Object() {
			continue
		}
		for r.Next() {
			if r.Key == "inventory_counts" && r.Kind() == field.KindArray {
				counts = r.Raw()
				continue
			}
			r.Skip()
		}
	}
	if counts == nil {
		s.out.Reject(schemas.ReasonUnknownEvent, "the webhook holds no inventory_counts")
		return
	}
	elements := field.ElementsOf(counts, sourceSquare, s.out)
	for elements.Next() {
		s.squareCount(elements.Raw)
	}
}

// squareCount reads an InventoryCount of Square. Pieces in any other state than IN_STOCK are counted beside those that can be sold, and
// change nothing about them.
func (s *scratch) squareCount(raw []byte) {
	s.begin()
	w, state := &s.row, ""
	w.source = sourceSquare
	r := field.NewReader(raw, s.out)
	for r.Object(); r.Next(); {
		switch r.Key {
		case "catalog_object_id":
			w.sku = r.Text()
		case "state":
			state = r.Text()
		case "location_id":
			w.store = r.Text()
		case "quantity":
			quantity, text := r.RawText()
			w.quantity = s.quantity("quantity", value{quantity, text})
		case "calculated_at":
			w.time = r.Time()
		default:
			r.Skip()
		}
	}
	switch {
	case state == "":
		s.out.Reject(schemas.ReasonMissingField, "state")
		return
	case state != "IN_STOCK":
		s.out.Drop(sourceSquare, schemas.DropNoEvent)
		return
	case w.bad == "" && !w.quantity.Set:
		s.out.Reject(schemas.ReasonMissingField, "quantity")
		return
	}
	if reason, detail := s.check(); reason != "" {
		s.out.Reject(reason, detail)
		return
	}
	if w.availability = outOfStock; w.quantity.Value > 0 {
		w.availability = inStock
	}
	e := s.event(schemas.TypeStockChange, raw)
	e.Quantity, e.Properties = w.quantity.Value, s.properties.String(s.out)
}
