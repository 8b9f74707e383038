package clickstream

import (
	"github.com/seamline/seamline/consumers/field"
	"github.com/seamline/seamline/schemas"
)

// read reads a context object over what is there: what it does not say stays.
func (c *context) read(r *field.Reader) {
	if !r.Object() {
		return
	}
	for r.Next() {
		switch r.Key {
		case "page":
			c.readPage(r)
		case "campaign":
			c.readCampaign(r)
		case "device":
			c.readDevice(r)
		case "traits":
			c.readTraits(r)
		case "externalIds", "external_ids":
			c.readExternalIDs(r)
		case "consent":
			if r.Object() {
				for r.Next() {
					if r.Key == "categoryPreferences" || r.Key == "category_preferences" {
						c.consent = r.Raw()
						continue
					}
					r.Skip()
				}
			}
		case "consentManagement", "consent_management":
			c.management = r.Raw()
		case "os":
			set(&c.system, r.Member("name"))
		case "library":
			set(&c.library, r.Member("name"))
		case "location":
			set(&c.country, field.Country(r.Member("country")))
		case "referrer":
			set(&c.referrer, r.Member("url"))
		case "channel":
			set(&c.channel, r.Text())
		case "groupId", "group_id":
			set(&c.groupID, r.Text())
		default:
			r.Skip()
		}
	}
}

// set overwrites a text, unless there is none.
func set(text *string, value string) {
	if value != "" {
		*text = value
	}
}

func (c *context) readPage(r *field.Reader) {
	if !r.Object() {
		return
	}
	for r.Next() {
		switch r.Key {
		case "url":
			set(&c.pageURL, r.Text())
		case "path":
			set(&c.pagePath, r.Text())
		case "referrer":
			set(&c.referrer, r.Text())
		default:
			r.Skip()
		}
	}
}

func (c *context) readCampaign(r *field.Reader) {
	if !r.Object() {
		return
	}
	for r.Next() {
		switch r.Key {
		case "id", "campaign_id", "campaignId":
			set(&c.campaign.ID, r.Text())
		case "source":
			set(&c.campaign.Source, r.Text())
		case "medium":
			set(&c.campaign.Medium, r.Text())
		case "name":
			set(&c.campaign.Name, r.Text())
		case "term":
			set(&c.term, r.Text())
		case "content":
			set(&c.content, r.Text())
		default:
			r.Skip()
		}
	}
}

func (c *context) readDevice(r *field.Reader) {
	if !r.Object() {
		return
	}
	for r.Next() {
		switch r.Key {
		case "id", "deviceId", "device_id":
			set(&c.deviceID, r.Text())
		case "advertisingId", "advertising_id":
			set(&c.advertiseID, r.Text())
		case "adTrackingEnabled", "ad_tracking_enabled":
			c.tracking = r.Bool()
		case "type":
			set(&c.deviceType, r.Text())
		default:
			r.Skip()
		}
	}
}

// readTraits reads the traits of the person, and keeps them where they say more.
func (c *context) readTraits(r *field.Reader) {
	here := r.Here()
	c.person.more = false // those of the batch may say more, and stay where these do not
	if c.person.read(r); c.person.more && r.OK() {
		c.traits = r.Since(here)
	}
}

// readExternalIDs reads elements {id, type} and gives each the namespace of its type.
func (c *context) readExternalIDs(r *field.Reader) {
	if !r.Array() {
		return
	}
	for r.NextObject() {
		var id, kind string
		for r.Next() {
			switch r.Key {
			case "id":
				id = r.Text()
			case "type":
				kind = r.Text()
			default:
				r.Skip()
			}
		}
		if namespace := namespaceOf(kind, r); namespace != "" && id != "" {
			c.externalIDs = append(c.externalIDs, schemas.Identifier{Namespace: namespace, Value: id})
		}
	}
}

// read reads traits over what is there.
func (p *person) read(r *field.Reader) {
	if !r.Object() {
		return
	}
	for r.Next() {
		p.readTrait(r)
	}
}

// readTrait reads or skips the current member of traits, and notes whether it says more of the person than has a field here.
func (p *person) readTrait(r *field.Reader) {
	p.more = p.more || field.IsDetail(r.Key)
	if r.Key == "address" {
		set(&p.country, field.Country(r.Member("country")))
		return
	}
	p.readMember(r)
}

// readMember reads or skips a member that names a person, in traits and in properties.
func (p *person) readMember(r *field.Reader) {
	switch r.Key {
	case "email", "emailAddress", "email_address":
		set(&p.email, r.First())
	case "phone", "phoneNumber", "phone_number", "mobile":
		set(&p.phone, r.First())
	case "loyalty_id", "loyaltyId":
		set(&p.loyalty, r.Text())
	default:
		r.Skip()
	}
}
