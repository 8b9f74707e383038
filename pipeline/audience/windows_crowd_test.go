package audience

import "github.com/seamline/seamline/schemas"

// crowd is people who are made of leaves. Their number is that of the leaf that they began with, or a new one.
type crowd struct {
	owners []uint32 // by leaf
	people uint32
	events [][]*schemas.Event // by leaf, in order of arrival
}

func newCrowd(leaves int) *crowd {
	c := &crowd{owners: make([]uint32, leaves+1), events: make([][]*schemas.Event, leaves+1), people: uint32(leaves)}
	for i := range c.owners {
		c.owners[i] = uint32(i)
	}
	return c
}

// Leaves implements Graph.
func (c *crowd) Leaves(profile uint32, f func(leaf uint32)) {
	for leaf := len(c.owners) - 1; leaf > 0; leaf-- {
		if c.owners[leaf] == profile {
			f(uint32(leaf))
		}
	}
}

// past gives what anybody could know of a person: the raw events, and fields of the profile as plain counts of them.
func (c *crowd) past(profile uint32) *past {
	who := &past{inside: map[string]bool{}}
	c.Leaves(profile, func(leaf uint32) { who.events = append(who.events, c.events[leaf]...) })
	orders, views, seen, ordered, said := 0.0, 0.0, schemas.Time(0), schemas.Time(0), schemas.Time(0)
	consent := "unset"
	for _, e := range who.events {
		seen = max(seen, e.Time)
		switch e.Type {
		case schemas.TypeOrder:
			orders, ordered = orders+1, max(ordered, e.Time)
		case schemas.TypeProductView:
			views++
		case schemas.TypeConsentUpdate:
			if state := e.Consents[0].State.String(); e.Time > said || e.Time == said && state == "denied" {
				said, consent = e.Time, state
			}
		}
	}
	who.fields = map[string]any{"events": float64(len(who.events)), "orders": orders, "product_views": views, "last_seen": seen, "last_order": ordered,
		"consent_ads_user_data": consent}
	return who
}

func personID(profile uint32) schemas.ProfileID {
	return schemas.ProfileID{byte(profile >> 8), byte(profile), 1}
}

// row gives the profile as score does: no more than is read, and only its index where that is nothing.
func (c *crowd) row(profile uint32, reads schemas.Fields) schemas.Profile {
	p := schemas.Profile{Index: profile}
	if reads == 0 {
		return p
	}
	f := c.past(profile).fields
	p.ID, p.LastSeen, p.Events = personID(profile), f["last_seen"].(schemas.Time), uint64(f["events"].(float64))
	p.ProductViews = uint64(f["product_views"].(float64))
	if reads&schemas.FieldsOrders != 0 {
		p.Orders, p.LastOrder = int64(f["orders"].(float64)), f["last_order"].(schemas.Time)
	}
	if reads&schemas.FieldsConsent != 0 {
		p.Consent[schemas.PurposeAdsUserData] = map[string]schemas.ConsentState{"unset": schemas.ConsentUnset, "granted": schemas.ConsentGranted, "denied": schemas.ConsentDenied}[f["consent_ads_user_data"].(string)]
	}
	return p
}
