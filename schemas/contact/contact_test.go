package contact

import (
	"encoding/base64"
	"encoding/hex"
	"flag"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/seamline/seamline/schemas"
)

var seed = flag.Int64("seed", 0, "of random values; 0 for the time")

func inHex(hash [32]byte) string { return hex.EncodeToString(hash[:]) }

func inBase64(hash [32]byte) string { return base64.StdEncoding.EncodeToString(hash[:]) }

// TestPublishedVectors holds every vector that Meta and Google publish.
func TestPublishedVectors(t *testing.T) {
	t.Parallel()
	us := Place{Region: "US"}
	plain := func(f schemas.ContactForms) [32]byte { return f.Plain }
	google := func(f schemas.ContactForms) [32]byte { return f.Google }
	for _, v := range []struct {
		kind  schemas.ContactKind
		value string
		form  func(schemas.ContactForms) [32]byte
		want  string
	}{
		{schemas.ContactEmail, "John_Smith@gmail.com", plain, "62a14e44f765419d10fea99367361a727c12365e2520f32218d505ed9aa0f62f"},
		{schemas.ContactPhone, "(650)555-1212", plain, "e323ec626319ca94ee8bff2e4c87cf613be6ea19919ed1364124e16807ab3176"},
		{schemas.ContactGivenName, "Mary", plain, "6915771be1c5aa0c886870b6951b03d7eafc121fea0e80a5ea83beb7c449f4ec"},
		{schemas.ContactGivenName, "Valéry", plain, "08e1996b5dd49e62a4b4c010d44e4345592a863bb9f8e3976219bac29417149c"},
		{schemas.ContactGivenName, "Vale\u0301ry", plain, "08e1996b5dd49e62a4b4c010d44e4345592a863bb9f8e3976219bac29417149c"},
		{schemas.ContactGivenName, "정", plain, "8fa8cd9c440be61d0151429310034083132b35975c4bea67fdd74158eb51db14"},
		{schemas.ContactBirthDate, "2/16/1997", plain, "01acdbf6ec7b4f478a225f1a246e5d6767eeab1a7ffa17f025265b5b94f40f0c"},
		{schemas.ContactCountry, "United States", plain, "79adb2a2fce5c6ba215fe5f27f532d4e7edbac4b6a5e09e1ef3a08084a904621"},
		{schemas.ContactEmail, "mary@example.com", plain, "f1904cf1a9d73a55fa5de0ac823c4403ded71afd4c3248d00bdcd0866552bb79"},
		{schemas.ContactPhone, "15559876543", plain, "1ef970831d7963307784fa8688e8fce101a15685d62aa765fed23f3a2c576a4e"},
		{schemas.ContactEmail, "  ALEXZ@example.com   ", google, "509e933019bb285a134a9334b8bb679dff79d0ce023d529af4bd744d47b4fd8a"},
		{schemas.ContactPhone, "1-800-555-0100", google, "fb4f73a6ec5fdb7077d564cdd22c3554b43ce49168550c3b12c547b78c517b30"},
		{schemas.ContactGivenName, "givenname", google, "128a07bfe2df877c52076e60d7774cf5baaa046c5a6c48daf30ff43ecca2f814"},
		{schemas.ContactFamilyName, "familyname", google, "77762c287e61ce065bee5c15464012c6fbe088398b8057627d5577249430d574"},
	} {
		told, ok := Tell(v.kind, v.value, us)
		if got := inHex(v.form(told.Forms)); !ok || got != v.want {
			t.Errorf("%s %q: %v %s, want %s", v.kind, v.value, ok, got, v.want)
		}
	}
	for text, want := range map[string]string{"alexz@example.com": "UJ6TMBm7KFoTSpM0uLtnnf950M4CPVKa9L10TUe0/Yo=", "+18005550100": "+09zpuxf23B31WTN0iw1VLQ85JFoVQw7EsVHt4xRezA=",
		"givenname": "EooHv+Lfh3xSB25g13dM9bqqBGxabEja8w/0Psyi+BQ=", "familyname": "d3YsKH5hzgZb7lwVRkASxvvgiDmLgFdifVV3JJQw1XQ="} {
		if got := inBase64(Hash(text)); got != want {
			t.Errorf("base64 of %q is %s, want %s", text, got, want)
		}
	}
	// What becomes of it where somebody hashes another form of Unicode: the forms must never be mixed.
	if got := inHex(Hash(norm.NFD.String("valéry"))); got != "0aac459e98cd41b938bef8bd61c205563f95c46cf2e6d3c8ff1a9312f3924cce" {
		t.Errorf("NFD of valéry gives %s", got)
	}
}

// check compares what a normaliser gives; an empty want is for values that have no form.
func check(t *testing.T, name string, f func(string) (string, bool)) func(value, want string) {
	return func(value, want string) {
		t.Helper()
		if got, ok := f(value); ok != (want != "") || ok && got != want {
			t.Errorf("%s of %q is %q (%v), want %q", name, value, got, ok, want)
		}
	}
}

func TestPublishedForms(t *testing.T) {
	t.Parallel()
	email := check(t, "google's e-mail", GoogleEmail)
	email("Cloudy.SanFrancisco+shopping@gmail.com", "cloudysanfrancisco@gmail.com")
	email("Cloudy.SanFrancisco+shopping@googlemail.com", "cloudysanfrancisco@googlemail.com")
	email("user.name+NYC@Example.com", "user.name+nyc@example.com")
	email("j.e.f..ferson.Loves.hiking@gmail.com", "jeffersonloveshiking@gmail.com")
	for _, bad := range []string{"", "  ", "quinn", "@example.com", " ...@gmail.com", "quinn@", "a@b@c"} {
		email(bad, "")
	}
	plain := check(t, "plain e-mail", PlainEmail)
	plain(" John_Smith@Gmail.com", "john_smith@gmail.com")
	plain("cloudy.sanfrancisco+shopping@gmail.com", "cloudy.sanfrancisco+shopping@gmail.com")
	plain("customer 17@example.com", "customer17@example.com")
	uid2 := check(t, "UID2's e-mail", UID2Email)
	uid2("Jane.Saoirse+x@gmail.com", "janesaoirse@gmail.com")
	uid2("Jane.Saoirse+x@googlemail.com", "jane.saoirse+x@googlemail.com")
	uid2("...@gmail.com", "")
	phone := check(t, "phone number", func(s string) (string, bool) { return Phone(s, "US") })
	for _, s := range []string{"1 800 555 0100", "18005550100", "+1 800-555-0100"} {
		phone(s, "+18005550100")
	}
	phone("+44-113-496-0987", "+441134960987")
	phone(" +A BCD EFG ", "")
	phone("++++", "")
	for _, local := range []string{"555-1212", "5551212", "+15551212", "001 555 1212", "911"} { // many people have them, one in each area
		phone(local, "")
	}
	if got := PlainPhone("+441134960987"); got != "441134960987" {
		t.Errorf("plain phone %s", got)
	}
	given := check(t, "google's given name", GoogleGivenName)
	given(" Mr. Alex ", "alex")
	given(" Mralex ", "mralex")
	given("Quinn-Alex", "quinn-alex")
	given("Mrs.", "")
	family := check(t, "google's family name", GoogleFamilyName)
	family("quinn, jr., dds", "quinn")
	family("Boardds", "boardds")
	family("Van der  Berg III", "van der berg")
}

func TestForms(t *testing.T) {
	t.Parallel()
	name := check(t, "name", Name)
	name(" O'Brien-Smith ", "obriensmith")
	name("José María", "josémaría")
	name(" -- ", "")
	city := check(t, "city", City)
	city("St. Louis", "stlouis")
	city("São Paulo", "sãopaulo")
	country := check(t, "country", Country)
	country("de", "de")
	country("DEU", "de")
	country(" Deutschland", "de")
	country("UK", "gb")
	country("Bosnia & Herzegovina", "ba")
	country("Trinidad and Tobago", "tt")
	country("Atlantis", "")
	day := check(t, "birth date", BirthDate)
	day("1997-02-16", "19970216")
	day("1997-02-16T00:00:00Z", "19970216")
	day("16/2/1997", "19970216")
	day("16.02.1997", "19970216")
	day("19970216", "19970216")
	day("30.2.1997", "")
	day("1/1/0001", "")
	day("soon", "")
	gender := check(t, "gender", Gender)
	gender("Female", "f")
	gender(" M ", "m")
	gender("other", "")
	mobile := check(t, "mobile id", MobileID)
	mobile("AB1234CD-E123-12FG-J123-0123456789AB", "") // a G and a J are no hexadecimal digits
	mobile("AB1234CD-E123-12FA-B123-0123456789AB", "ab1234cd-e123-12fa-b123-0123456789ab")
	mobile("AB1234CDE12312FAB1230123456789AB", "ab1234cd-e123-12fa-b123-0123456789ab")
	mobile("00000000-0000-0000-0000-000000000000", "")
	for _, c := range []struct{ value, country, region, postal string }{
		{"California", "us", "ca", "california"}, {"California", "", "ca", "california"}, {"Limpopo", "za", "limpopo", "limpopo"},
		{"New South Wales", "au", "newsouthwales", "newsouthwales"}, {"94025-1234", "United States", "940251234", "94025"},
		{"94025-1234", "", "940251234", "94025"}, {"1229-076", "pt", "1229076", "1229076"}, {"M1 1AE", "GB", "m11ae", "m11ae"}, {"940251234", "us", "940251234", "94025"},
	} {
		if got, _ := Region(c.value, c.country); got != c.region {
			t.Errorf("region of %q in %q is %q, want %q", c.value, c.country, got, c.region)
		}
		if got, _ := Postal(c.value, c.country); got != c.postal {
			t.Errorf("postal code of %q in %q is %q, want %q", c.value, c.country, got, c.postal)
		}
	}
}

// TestTold says which forms each kind has, and what is kept in clear.
func TestTold(t *testing.T) {
	t.Parallel()
	hashed := func(s string) [32]byte { return Hash(s) }
	none := [32]byte{}
	for _, c := range []struct {
		kind                schemas.ContactKind
		value, country      string
		plain, google, uid2 [32]byte
		shown, clear        string
	}{
		{schemas.ContactEmail, "A.B+c@GMAIL.com", "", hashed("a.b+c@gmail.com"), hashed("ab@gmail.com"), hashed("ab@gmail.com"), "", "a.b+c@gmail.com"},
		{schemas.ContactEmail, "A.B+c@googlemail.com", "", hashed("a.b+c@googlemail.com"), hashed("ab@googlemail.com"), hashed("a.b+c@googlemail.com"), "", "a.b+c@googlemail.com"},
		{schemas.ContactEmail, "..@gmail.com", "", hashed("..@gmail.com"), none, none, "", "..@gmail.com"},
		{schemas.ContactPhone, "1 650 555 1212", "", hashed("16505551212"), hashed("+16505551212"), hashed("+16505551212"), "", "+16505551212"},
		{schemas.ContactGivenName, " Dr. Mary  Ann", "", hashed("drmaryann"), hashed("mary ann"), none, "", "Dr. Mary Ann"},
		{schemas.ContactFamilyName, "Smith Jr.", "", hashed("smithjr"), hashed("smith"), none, "", "Smith Jr."},
		{schemas.ContactCity, "Köln", "", hashed("köln"), none, none, "", "Köln"},
		{schemas.ContactRegion, "Ohio", "US", hashed("oh"), none, none, "", "Ohio"},
		{schemas.ContactPostal, "SW1A 1AA", "GB", hashed("sw1a1aa"), none, none, "", "SW1A 1AA"},
		{schemas.ContactCountry, "Germany", "", hashed("de"), none, none, "de", "de"},
		{schemas.ContactBirthDate, "1980-05-06", "", hashed("19800506"), none, none, "", "19800506"},
		{schemas.ContactGender, "f", "", hashed("f"), none, none, "", "f"},
		{schemas.ContactMobileID, "AB1234CD-E123-12FA-B123-0123456789AB", "", hashed("ab1234cd-e123-12fa-b123-0123456789ab"), none, none,
			"ab1234cd-e123-12fa-b123-0123456789ab", "ab1234cd-e123-12fa-b123-0123456789ab"},
		{schemas.ContactEmail, strings.ToUpper(inHex(hashed("x@example.com"))), "", hashed("x@example.com"), none, none, "", ""},
		{schemas.ContactFamilyName, inBase64(hashed("x")), "", hashed("x"), none, none, "", ""},
	} {
		told, ok := Tell(c.kind, c.value, Place{Region: "US", Country: c.country})
		want := Told{Forms: schemas.ContactForms{Plain: c.plain, Google: c.google, UID2: c.uid2}, Value: c.shown, Clear: c.clear}
		if !ok || told != want {
			t.Errorf("%s %q: %v %+v, want %+v", c.kind, c.value, ok, told, want)
		}
	}
	for kind := range schemas.ContactKind(schemas.ContactCount) {
		for _, bad := range []string{"", " ", "\xff\xfe", strings.Repeat("a", 513)} {
			if told, ok := Tell(kind, bad, Place{Region: "US"}); ok {
				t.Errorf("%s %q gives %+v", kind, bad, told)
			}
		}
	}
	if _, ok := Tell(schemas.ContactPhone, inHex(hashed("x")), Place{Region: "US"}); ok {
		t.Error("a hashed phone number is taken, and nobody knows whether a plus was hashed with it")
	}
}

func TestHashed(t *testing.T) {
	t.Parallel()
	hash := Hash("x")
	for _, s := range []string{inHex(hash), strings.ToUpper(inHex(hash)), " " + inBase64(hash) + " "} {
		if got, ok := Hashed(s); !ok || got != hash {
			t.Errorf("%q is not known as a hash", s)
		}
	}
	for _, s := range []string{"", "x", inHex(hash)[:63], inHex(hash)[:63] + "g", inBase64(hash)[:43] + "!", inHex(Hash("")), strings.Repeat("0", 64), strings.Repeat("A", 44), strings.Repeat("A", 42) + "=="} {
		if _, ok := Hashed(s); ok {
			t.Errorf("%q counts as a hash", s)
		}
	}
}

// TestProperties: normal forms are normal, and neither case nor white space around a value matters.
func TestProperties(t *testing.T) {
	t.Parallel()
	from := *seed
	if from == 0 {
		from = time.Now().UnixNano()
	}
	t.Logf("-seed %d", from)
	chance := rand.New(rand.NewPCG(uint64(from), 1))
	pieces := []string{"a", "B", "é", "e\u0301", "ß", "İ", "Σ", "정", ".", "+", "@", "gmail.com", "@gmail.com", "@example.com", " ", "\t", "\u00a0", "-", "0", "1", "650", "+1", "Mr. ", " Jr.", ", dds",
		"California", "us", "1997", "/", "12", "12345-6789", "female", "'", "ǆ", "Ǆ", "\u0345"}
	for range 20_000 {
		var value strings.Builder
		for range 1 + chance.IntN(6) {
			value.WriteString(pieces[chance.IntN(len(pieces))])
		}
		checkProperties(t, value.String())
		if t.Failed() {
			return
		}
	}
}

// one brings the normalisers that keep what they are given in one form.
var one = map[string]func(string) (string, bool){
	"Email": Email, "PlainEmail": PlainEmail, "GoogleEmail": GoogleEmail, "UID2Email": UID2Email, "Name": Name, "GoogleGivenName": GoogleGivenName,
	"GoogleFamilyName": GoogleFamilyName, "City": City, "Country": Country, "BirthDate": BirthDate,
	"Gender": Gender, "MobileID": MobileID, "Phone": func(s string) (string, bool) { return Phone(s, "US") },
	"Region": func(s string) (string, bool) { return Region(s, "") }, "Postal": func(s string) (string, bool) { return Postal(s, "") }}

func checkProperties(t testing.TB, value string) {
	t.Helper()
	for name, f := range one {
		got, ok := f(value)
		if !ok {
			if again, isOK := f("  " + value + "\t"); isOK && name != "Email" {
				t.Errorf("%s of %q is nothing, and with white space around it %q", name, value, again)
			}
			continue
		}
		if got == "" || !utf8.ValidString(got) || len(got) > 4*valueBytesMax {
			t.Errorf("%s of %q is %q", name, value, got)
		}
		if again, ok := f(got); !ok || again != got {
			t.Errorf("%s of %q is %q, and of that %q (%v)", name, value, got, again, ok)
		}
		if around, ok := f(" \t" + value + "\n "); !ok || around != got {
			t.Errorf("%s of %q is %q, and with white space around it %q (%v)", name, value, got, around, ok)
		}
		if name == "GooglePostal" || name == "Phone" { // one is as it is written, and letters in numbers are digits
			continue
		}
		if lower, ok := f(strings.ToLower(value)); !ok || lower != got {
			t.Errorf("%s of %q is %q, and in lower case %q (%v)", name, value, got, lower, ok)
		}
		if ascii := strings.Map(asciiUpper, value); !strings.ContainsRune(value, 'ǆ') {
			if upper, ok := f(ascii); !ok || upper != got {
				t.Errorf("%s of %q is %q, and in upper case %q (%v)", name, value, got, upper, ok)
			}
		}
	}
}

// asciiUpper gives the capital of letters whose capital has one small letter only.
func asciiUpper(r rune) rune {
	if r >= 'a' && r <= 'z' {
		return r - 'a' + 'A'
	}
	return r
}

func FuzzTell(f *testing.F) {
	for _, s := range []string{"John_Smith@gmail.com", "+1 650 555 1212", "Dr. Valéry Jr.", "2/16/1997", "94025-1234", "uS", hex.EncodeToString(make([]byte, 32))} {
		f.Add(s, "US")
	}
	f.Fuzz(func(t *testing.T, value, country string) {
		if _, ok := Hashed(value); !ok && utf8.ValidString(value) && len(value) < 400 {
			checkProperties(t, value)
		}
		for kind := range schemas.ContactKind(schemas.ContactCount) {
			told, ok := Tell(kind, value, Place{Region: "US", Country: country})
			if ok && told.Forms.Plain == [32]byte{} || !ok && told != (Told{}) && kind != schemas.ContactPhone {
				t.Errorf("%s %q gives %v %+v", kind, value, ok, told)
			}
			if told.Value != "" && kind != schemas.ContactCountry && kind != schemas.ContactMobileID {
				t.Errorf("%s %q stands in clear: %q", kind, value, told.Value)
			}
		}
	})
}
