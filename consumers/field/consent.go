package field

import (
	"fmt"
	"strings"
	"sync"

	"github.com/seamline/seamline/schemas"
)

// Purposes is a set of purposes, one bit each.
type Purposes uint16

// purpose gives the set of one.
func purpose(p schemas.Purpose) Purposes { return 1 << p }

// The purposes of advertising, and all that there are.
const (
	PurposesAds = Purposes(1<<schemas.PurposeAdsStorage | 1<<schemas.PurposeAdsUserData | 1<<schemas.PurposeAdsPersonalization)
	PurposesAll = Purposes(1<<schemas.PurposeCount - 1)
)

// categoryTable says which purposes the categories of consent tools stand for. Those of OneTrust, Cookiebot, Segment's consent manager,
// Google's consent mode, and our own names are here; security and what is strictly necessary is asked of nobody, and stands for none.
var categoryTable = []struct {
	purposes Purposes
	names    []string
}{
	{purpose(schemas.PurposeAnalytics), []string{"analytics", "analytics_storage", "Analytics Cookies", "Statistics", "Statistic", "Performance", "Performance Cookies",
		"Measurement", "C0002"}},
	{PurposesAds, []string{"ads", "Advertising", "Advertisement", "Advertisements", "Advertising Cookies", "Targeting", "Targeting Cookies", "Targeting and Advertising",
		"Retargeting", "C0004"}},
	{purpose(schemas.PurposeAdsStorage), []string{"ads_storage", "ad_storage"}},
	{purpose(schemas.PurposeAdsUserData), []string{"ads_user_data", "ad_user_data"}},
	{purpose(schemas.PurposeAdsPersonalization), []string{"ads_personalization", "ad_personalization"}},
	{PurposesAds | purpose(schemas.PurposeAnalytics), []string{"marketingAndAnalytics", "Marketing and Analytics"}},
	{purpose(schemas.PurposePersonalization), []string{"personalization", "personalisation", "personalization_storage", "Functional", "Functional Cookies", "Functionality",
		"functionality_storage", "Preferences", "C0003"}},
	{purpose(schemas.PurposeEmailMarketing), []string{"email_marketing", "Email", "Emails", "Newsletter", "Marketing", "Marketing Emails"}},
	{purpose(schemas.PurposeSMSMarketing), []string{"sms_marketing", "SMS", "Text Messages", "Marketing SMS"}},
	{purpose(schemas.PurposePushMarketing), []string{"push_marketing", "Push", "Push Notifications", "Marketing Push"}},
	{purpose(schemas.PurposeWhatsAppMarketing), []string{"whatsapp_marketing", "WhatsApp"}},
}

// categoryLengthMax bounds the names of categories that are looked up, folded.
const categoryLengthMax = 64

// Categories tells which purposes the categories of a consent tool stand for. Names are compared without case, spaces and punctuation.
type Categories struct{ purposes map[string]Purposes }

// DefaultCategories gives the table of well-known categories.
var DefaultCategories = sync.OnceValue(func() *Categories {
	c := &Categories{purposes: map[string]Purposes{}}
	for _, row := range categoryTable {
		for _, name := range row.names {
			c.purposes[string(Fold(nil, name))] = row.purposes
		}
	}
	return c
})

// NewCategories gives the well-known categories, changed as a setting says: "Offers=email_marketing+sms_marketing,Functional=" gives
// Offers two purposes and Functional none. Behind the sign of equality stand names of purposes, or ads for the three of advertising.
func NewCategories(setting string) (*Categories, error) {
	c := &Categories{purposes: map[string]Purposes{}}
	for name, purposes := range DefaultCategories().purposes {
		c.purposes[name] = purposes
	}
	for part := range strings.SplitSeq(setting, ",") {
		if strings.TrimSpace(part) == "" {
			continue
		}
		name, list, found := strings.Cut(part, "=")
		folded := Fold(nil, name)
		if !found || len(folded) == 0 || len(folded) > categoryLengthMax {
			return nil, fmt.Errorf("%q is not a category and its purposes, such as Offers=email_marketing+sms_marketing", part)
		}
		purposes, err := parsePurposes(list)
		if err != nil {
			return nil, fmt.Errorf("category %q: %w", strings.TrimSpace(name), err)
		}
		c.purposes[string(folded)] = purposes
	}
	return c, nil
}

// parsePurposes reads names of purposes with plus signs between them.
func parsePurposes(list string) (set Purposes, err error) {
	for word := range strings.SplitSeq(list, "+") {
		word = strings.TrimSpace(word)
		switch p, ok := purposeOf(word); {
		case word == "":
		case word == "ads":
			set |= PurposesAds
		case ok:
			set |= purpose(p)
		default:
			return 0, fmt.Errorf("%q is none of ads, %s", word, strings.Join(schemas.PurposeNames(), ", "))
		}
	}
	return set, nil
}

func purposeOf(word string) (schemas.Purpose, bool) {
	for i, name := range schemas.PurposeNames() {
		if name == word {
			return schemas.Purpose(i), true
		}
	}
	return 0, false
}

// Of gives the purposes of a category; none for a category that is not known.
func (c *Categories) Of(name string) Purposes {
	if len(name) > categoryLengthMax {
		return 0
	}
	var buffer [categoryLengthMax]byte
	return c.purposes[string(Fold(buffer[:0], name))]
}

// ConsentOf reads an answer as forms, Google's consent mode, its APIs and consent tools write it; false for what is no answer.
func ConsentOf(word string) (schemas.ConsentState, bool) {
	if len(word) > categoryLengthMax {
		return schemas.ConsentUnset, false
	}
	var buffer [categoryLengthMax]byte
	switch string(Fold(buffer[:0], word)) {
	case "granted", "grant", "consentgranted", "true", "yes", "1", "y", "t", "on", "allow", "allowed", "accept", "accepted", "optin", "optedin", "subscribed", "given":
		return schemas.ConsentGranted, true
	case "denied", "deny", "consentdenied", "false", "no", "0", "n", "f", "off", "reject", "rejected", "refused", "withdrawn", "revoked", "optout", "optedout", "unsubscribed":
		return schemas.ConsentDenied, true
	case "", "unset", "unspecified", "consentstatusunspecified", "unknown", "none", "null":
		return schemas.ConsentUnset, true
	}
	return schemas.ConsentUnset, false
}

// Consents collects answers by purpose. Where several name a purpose, a denial holds before a grant, and that before unset.
type Consents struct {
	said   Purposes
	states [schemas.PurposeCount]schemas.ConsentState
}

// Say adds an answer about some purposes.
func (c *Consents) Say(purposes Purposes, state schemas.ConsentState) {
	for i := range c.states {
		if purposes>>i&1 != 0 {
			c.states[i] = max(c.states[i], state)
		}
	}
	c.said |= purposes
}

// Any tells whether anything was said.
func (c *Consents) Any() bool { return c.said != 0 }

// Put appends the answers to an event, in the order of the purposes.
func (c *Consents) Put(e *schemas.Event) {
	for i, state := range c.states {
		if c.said>>i&1 != 0 {
			e.Consents = append(e.Consents, schemas.Consent{Purpose: schemas.Purpose(i), State: state})
		}
	}
}
