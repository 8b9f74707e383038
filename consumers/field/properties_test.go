package field

import (
	"testing"

	"github.com/seamline/seamline/schemas"
)

func TestContact(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"email", "Email", "e-mail", "emailAddress", "email_address", "billing_email", "customerPhone", "phone_number", "firstName",
		"first_name", "LastName", "street", "address", "shipping_address", "birthday", "dob", "username", "user_name", "password", "ip", "recipient", "postal_code"} {
		if !Contact(key) {
			t.Errorf("Contact(%q) is false", key)
		}
	}
	for _, key := range []string{"name", "product_name", "email_id", "email_subject", "category", "brand", "sku", "address_type", "phone_case_model", "e", "", "mobile_app",
		"search_title", "zipper", "title", "campaign_name", "level", "shoes"} {
		if Contact(key) {
			t.Errorf("Contact(%q) is true", key)
		}
	}
	if !ContactOfPerson("name") || ContactOfPerson("plan") {
		t.Error("a person's name is contact data and a plan is not")
	}
	for _, key := range []string{"gender", "Sex", "state", "stateCode", "province", "province_code", "town", "locality", "localityCode"} {
		if !ContactOfPerson(key) || Contact(key) {
			t.Errorf("%q is contact data of a person, and of nothing else", key)
		}
	}
	for key, d := range detailKeys { // what is hashed must not stand beside its hash; a country names nobody
		if !d.inside && d.kind != schemas.ContactCountry && !ContactOfPerson(key) {
			t.Errorf("%q is read as %s, and stands in properties too", key, d.kind)
		}
		if !IsDetail(key) {
			t.Errorf("IsDetail(%q) is false", key)
		}
	}
	if IsDetail("plan") || !IsDetail("First_Name") {
		t.Error("a plan is no detail of a person, and a first name is one")
	}
	for _, s := range []string{"customer-17@example.com", " customer-17@example.com ", "mailto:customer-17@example.com"} {
		if !EmailLike(s) {
			t.Errorf("EmailLike(%q) is false", s)
		}
	}
	for _, s := range []string{"", "@", "@handle", "a@b", "a@b.", "see customer-17@example.com today", "https://x.example/@user/a.b", "a@b@c.example"} {
		if EmailLike(s) {
			t.Errorf("EmailLike(%q) is true", s)
		}
	}
}

func TestProperties(t *testing.T) {
	t.Parallel()
	var p Properties
	var out schemas.Decoded
	f := func(in, want string) {
		t.Helper()
		p.Begin(&out)
		p.AddObject([]byte(in), func(key string) bool { return key == "skip" })
		if got := p.String(&out); got != want {
			t.Errorf("properties of %s\n got %s\nwant %s", in, got, want)
		}
	}
	f(`{"a":1, "skip":2, "b": { "c" : [ 1 , 2 ] } }`, `{"a":1,"b":{"c":[1,2]}}`)
	f(`{"email":"x","a":"customer-17@example.com","b":["customer-17@example.com"],"c":{"phone":"1"}}`, ``)
	f(`{"a":"customer-17\u0040example.com","b":2}`, `{"b":2}`)
	f(`{"a":null,"b":"","c":[],"d":[null]}`, `{"b":""}`)
	f(`{"name":"Trail shoe","customer":{"name":"x","tier":"gold"},"items":[{"name":"y","email":"z"}]}`,
		`{"name":"Trail shoe","customer":{"tier":"gold"},"items":[{"name":"y"}]}`)
	f(`{"a":1,"a":2,"\u0061":3,"b":"\ud800 \u00e9 \" \n"}`, `{"a":1,"b":"� é \" \n"}`)
	f(`{}`, ``)
	f(`[]`, ``)
	p.Begin(&out)
	p.AddTrait("name", []byte(`"x"`))
	p.AddText("event", "Survey \"Answered\"")
	p.AddText("event", "again")
	p.AddText("empty", "")
	p.AddDecimal("tax", 12_500)
	p.AddBool("beta", true)
	if got, want := p.String(&out), `{"event":"Survey \"Answered\"","tax":1.25,"beta":true}`; got != want {
		t.Errorf("got %s; want %s", got, want)
	}
	if p.Len() != 3 {
		t.Errorf("Len() = %d", p.Len())
	}
}
