package field

import "github.com/seamline/seamline/schemas"

// Customer is who a record is about, in the words of Seamline's own formats.
type Customer struct {
	UserID      string
	LoyaltyID   string
	Email       string
	Phone       string
	DeviceID    string
	AnonymousID string
}

// Read reads a customer object over what is there.
func (c *Customer) Read(r *Reader) {
	if !r.Object() {
		return
	}
	for r.Next() {
		if !c.ReadMember(r) {
			r.Skip()
		}
	}
}

// ReadMember reads the current member where it is an identifier, and tells whether it was.
func (c *Customer) ReadMember(r *Reader) bool {
	switch r.Key {
	case "user_id", "userId":
		c.UserID = r.Text()
	case "loyalty_id", "loyaltyId":
		c.LoyaltyID = r.Text()
	case "email":
		c.Email = r.First()
	case "phone":
		c.Phone = r.First()
	case "device_id", "deviceId":
		c.DeviceID = r.Text()
	case "anonymous_id", "anonymousId":
		c.AnonymousID = r.Text()
	default:
		return false
	}
	return true
}

// Identify adds the identifiers to an event.
func (c *Customer) Identify(e *schemas.Event) {
	Identify(e, schemas.NamespaceUserID, c.UserID)
	Identify(e, schemas.NamespaceLoyaltyID, c.LoyaltyID)
	Identify(e, schemas.NamespaceEmail, c.Email)
	Identify(e, schemas.NamespacePhone, c.Phone)
	Identify(e, schemas.NamespaceDeviceID, c.DeviceID)
	Identify(e, schemas.NamespaceAnonymousID, c.AnonymousID)
}
