package clickstream

import (
	"github.com/seamline/seamline/consumers/field"
	"github.com/seamline/seamline/schemas"
)

// namespaceLengthMax bounds a namespace that a producer names.
const namespaceLengthMax = 48

// namespaceOf gives the namespace of a producer's type of identifier: one of Seamline's own where it means the same, the type in
// snake_case elsewhere, and none for types that name no person or device.
func namespaceOf(kind string, r *field.Reader) string {
	var buffer [namespaceLengthMax]byte
	if len(kind) > namespaceLengthMax {
		return ""
	}
	switch string(field.Fold(buffer[:0], kind)) {
	case "":
		return ""
	case "userid":
		return schemas.NamespaceUserID
	case "anonymousid":
		return schemas.NamespaceAnonymousID
	case "email", "emailaddress":
		return schemas.NamespaceEmail
	case "phone", "phonenumber", "mobile", "mobilenumber":
		return schemas.NamespacePhone
	case "loyaltyid", "loyaltynumber":
		return schemas.NamespaceLoyaltyID
	case "iosid", "iosidfa", "iosidfv", "androidid", "androididfa", "androidgaid", "deviceid", "idfa", "idfv", "gaid":
		return schemas.NamespaceDeviceID
	case "groupid", "accountid", "iospushtoken", "androidpushtoken":
		return "" // a company is no person, and a token moves from app to app
	case "ip", "messageid", "orderid", "kioskid", "card", "cardweak":
		return "" // these namespaces have a meaning of their own that a producer must not give
	}
	return snakeCase(kind, r)
}

// snakeCase writes kind in lower case, with an underscore before each capital and for each run of punctuation.
func snakeCase(kind string, r *field.Reader) string {
	var buffer [2 * namespaceLengthMax]byte
	text := buffer[:0]
	plain := true
	for i := 0; i < len(kind); i++ {
		c := kind[i]
		switch {
		case c >= 'a' && c <= 'z' || c >= '0' && c <= '9':
			text = append(text, c)
			continue
		case c == '_' && len(text) > 0 && text[len(text)-1] != '_' && i < len(kind)-1:
			text = append(text, c)
			continue
		case c >= 'A' && c <= 'Z':
			lowerBefore := i > 0 && (kind[i-1] >= 'a' && kind[i-1] <= 'z' || kind[i-1] >= '0' && kind[i-1] <= '9')
			if lowerBefore && text[len(text)-1] != '_' {
				text = append(text, '_')
			}
			text = append(text, c+'a'-'A')
		case len(text) > 0 && text[len(text)-1] != '_':
			text = append(text, '_')
		}
		plain = false
	}
	if plain {
		return kind
	}
	for len(text) > 0 && text[len(text)-1] == '_' {
		text = text[:len(text)-1]
	}
	return r.Keep(text)
}

// identifiers adds all that the call says about who it was, except what stands in properties.
func (c *call) identifiers(e *schemas.Event, own *person) {
	field.Identify(e, schemas.NamespaceUserID, c.userID)
	if field.EmailLike(c.userID) {
		field.Identify(e, schemas.NamespaceEmail, c.userID)
	}
	field.Identify(e, schemas.NamespaceAnonymousID, c.anonymousID)
	for _, p := range [...]*person{own, &c.context.person} {
		field.Identify(e, schemas.NamespaceEmail, p.email)
		field.Identify(e, schemas.NamespacePhone, p.phone)
		field.Identify(e, schemas.NamespaceLoyaltyID, p.loyalty)
	}
	field.Identify(e, schemas.NamespaceDeviceID, c.context.deviceID)
	field.Identify(e, schemas.NamespaceDeviceID, c.context.advertiseID)
	for _, id := range c.context.externalIDs {
		field.Identify(e, id.Namespace, id.Value)
	}
}

// merged adds the identifiers of a RudderStack merge call, elements {type, value}.
func (c *call) merged(e *schemas.Event, out *schemas.Decoded) {
	r := field.NewReader(c.merge, out)
	if !r.Array() {
		return
	}
	for r.NextObject() {
		var value, kind string
		for r.Next() {
			switch r.Key {
			case "value":
				value = r.Text()
			case "type":
				kind = r.Text()
			default:
				r.Skip()
			}
		}
		if namespace := namespaceOf(kind, &r); namespace != "" {
			field.Identify(e, namespace, value)
		}
	}
}
