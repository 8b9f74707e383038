package field

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// Numbers that card networks and processors publish for tests, and some made up in the other ranges.
var testCards = []string{
	"4111111111111111", "4012888888881881", "4242424242424242", "4000056655665556", "5555555555554444", "5105105105105100",
	"5200828282828210", "2223003122003222", "2720992222222229", "378282246310005", "371449635398431", "341111111111111",
	"6011111111111117", "6011000990139424", "6011981111111113", "6450000000000002", "6500000000000002", "3530111333300000",
	"3566002020360505", "6200000000000005", "6759649826438453", "5018000000000009", "2200000000000004",
}

// These have a length that counts only in a field that is named after a card.
var testCardsNamed = []string{"38520000023237", "30569309025904", "36070500001020", "6304000000000000000", "6212345678901232", "4000000000000000006"}

func TestCardNumberFindsCardsAnywhere(t *testing.T) {
	t.Parallel()
	forms := []string{
		`%s`, `{"a":"%s"}`, `{"a":%s}`, `{"a":[1,%s,2]}`, `{"order_id":"%s"}`, `{"note":"my card is %s."}`, `{"note":"my card is %s, thanks"}`,
		`{"note":"card:%s exp 12/27"}`, `{"properties":{"x":{"y":["z","%s"]}}}`, `{"url":"https://shop.example/pay?pan=%s&x=1"}`,
		`<Tender><CreditDebit><PrimaryAccountNumber>%s</PrimaryAccountNumber></CreditDebit></Tender>`, `<Card PAN="%s" Type="x"/>`,
		`{"note":"first line\n%s\nlast line"}`, `{"note":"\u0020%s"}`, `{"note":"\u00a0%s\u00a0"}`, `{"a":"b\\","c":"%s"}`,
		`{"Message":"{\"pan\":\"%s\"}"}`, `{"note":"12 %s 12 2027"}`, "\xc2\xa0%s\xc2\xa0", `(%s)`, `#%s`, `{"phone_card":"%s"}`,
		`{"loyalty_note":"x","tender":{"number":"%s"}}`,
	}
	for _, card := range testCards {
		for _, written := range groupings(card) {
			for _, form := range forms {
				text := fmt.Sprintf(form, written)
				for pad := range 12 { // every alignment to the samples
					b := []byte(strings.Repeat(" ", pad%2) + strings.Repeat("x,", pad) + text)
					start, end, found := CardNumber(b)
					if !found || string(b[start:end]) != written {
						t.Fatalf("CardNumber(%s) = %q, %v; want %s", b, b[start:end], found, written)
					}
				}
			}
		}
	}
}

// groupings writes a number in the ways that people do.
func groupings(card string) []string {
	written := []string{card}
	for _, separator := range []string{" ", "-"} {
		if len(card) == 15 {
			written = append(written, card[:4]+separator+card[4:10]+separator+card[10:])
			continue
		}
		written = append(written, card[:4]+separator+card[4:8]+separator+card[8:12]+separator+card[12:], card[:6]+separator+card[6:])
	}
	return written
}

func TestCardNumberOfRareLengthNeedsNamedField(t *testing.T) {
	t.Parallel()
	for _, card := range testCardsNamed {
		for _, key := range []string{"card", "cardNumber", "card_number", "CardNo", "pan", "PAN", "account_number", "primaryAccountNumber", "number", "cc"} {
			b := []byte(`{"` + key + `": "` + card + `"}`)
			if start, end, found := CardNumber(b); !found || string(b[start:end]) != card {
				t.Errorf("CardNumber(%s) found %v; want %s", b, found, card)
			}
		}
		if len(card) == 16 {
			continue
		}
		for _, key := range []string{"id", "order_id", "order_number", "variant_id", "company", "expanse", "receipt_number"} {
			if b := []byte(`{"` + key + `":"` + card + `"}`); found(b) {
				t.Errorf("CardNumber(%s) found a card by a length that ids have", b)
			}
		}
	}
}

func found(b []byte) bool {
	_, _, found := CardNumber(b)
	return found
}

func TestCardNumberLeavesOtherDigits(t *testing.T) {
	t.Parallel()
	f := func(text string) {
		t.Helper()
		for pad := range 12 {
			if b := []byte(strings.Repeat(".", pad) + " " + text); found(b) {
				start, end, _ := CardNumber(b)
				t.Errorf("CardNumber(%s) = %s; want none", b, b[start:end])
			}
		}
	}
	f(`{"messageId":"41111111-1111-1111-1111-111111111111"}`)
	f(`{"messageId":"a1b2c3d4-4111-1111-1111-111111111111"}`)
	f(`{"id":"4111-1111-1111-1111-1111"}`)
	f(`{"hash":"a4111111111111111"}`)
	f(`{"hash":"4111111111111111f"}`)
	f(`{"hash":"ab_4111111111111111"}`)
	f(`{"hash":"4111111111111111_2"}`)
	f(`{"price":4111111111111111.5}`)
	f(`{"price":0.4111111111111111}`)
	f(`{"fbp":"fb.1.1772368245123.4111111111111111"}`)
	f(`{"ga":"GA1.2.4111111111111111.1772368245"}`)
	f(`{"image":"https://cdn.shop.example/4111111111111111.jpg"}`)
	f(`{"phone":"+4111111111111111"}`)
	f(`{"phone":"4111111111111111"}`)
	f(`{"ts":1772368245123}`)
	f(`{"ts":1772368245123456}`)
	f(`{"ts":"2026-03-01T12:30:45.123Z","b":"2026-03-01 12:30:45 +0000"}`)
	f(`{"gtin":"4111111111111111"}`)
	f(`{"GTIN14":"04006381333931"}`)
	f(`{"ean13":"4006381333931"}`)
	f(`{"barcode":"5555555555554444"}`)
	f(`{"sku":"4242424242424242"}`)
	f(`<SerialNumber Type="GTIN">5555555555554444</SerialNumber>`)
	f(`<ItemID><EAN>4111111111111111</EAN></ItemID>`)
	f(`{"imei":"490154203237518"}`)
	f(`{"order":{"id":5678901234567,"variant":41111111111111}}`)
	f(`{"visa13":"4222222222222","number":"4222222222222"}`)
	f(`{"loyalty_id":"6759649826438453"}`)
	f(`{"member_card":"6340041234567899"}`)
	f(`{"luhn":"4111111111111112"}`)
	f(`{"range":"9111111111111111","zero":"0000000000000000","one":"1111111111111117"}`)
	f(`{"long":"41111111111111114111111111111111"}`)
	f(`{"path":"M 40 12 88 88 88 88 18 81 10 22"}`)
	f(`{"masked":"************1111","b":"411111******1111","c":"XXXX-XXXX-XXXX-1111"}`)
	f(`{"mixed":"4111 1111-1111 1111"}`)
	f(`{"double":"4111  1111  1111  1111"}`)
	f(`{"escaped":"\\n4111111111111111"}`)
	f("")
	f("411111111111111")
}

// A search that looks at every position must agree with the sampled one.
func TestCardNumberAgreesWithPlainSearch(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	pieces := append([]string{" ", "-", "x", ".", `"card":"`, `"id":"`, `"`, "12", "4111", "1111", `\n`, `\u0020`, "é", ",", "1772368245123456"}, testCards...)
	pieces = append(pieces, testCardsNamed...)
	for range 20_000 {
		var b []byte
		for range random.IntN(8) {
			b = append(b, pieces[random.IntN(len(pieces))]...)
		}
		if got, want := found(b), foundPlain(b); got != want {
			t.Fatalf("CardNumber(%s) found %v; a plain search finds %v", b, got, want)
		}
	}
}

func foundPlain(b []byte) bool {
	for i := range b {
		if charClasses[b[i]] != charDigit {
			continue
		}
		low := i
		for low > 0 && cardChar(b[low-1]) {
			low--
		}
		if cut := unicodeEscapeEnd(b, low); cut > low {
			low = cut
		}
		if i >= low && cleanBefore(b, i, low) && cardAt(b, i, len(b)) > 0 {
			return true
		}
	}
	return false
}

func TestMaskCards(t *testing.T) {
	t.Parallel()
	f := func(in, want string) {
		t.Helper()
		b := []byte(in)
		got := MaskCards(b)
		if string(got) != want {
			t.Errorf("MaskCards(%s) = %s; want %s", in, got, want)
		}
		if string(b) != in {
			t.Errorf("MaskCards changed its input")
		}
		if found(got) {
			t.Errorf("MaskCards(%s) leaves a card number", in)
		}
	}
	f(`{"a":"4111111111111111"}`, `{"a":"************1111"}`)
	f(`{"a":"3782 822463 10005","b":"5555-5555-5555-4444"}`, `{"a":"**** ****** *0005","b":"****-****-****-4444"}`)
	f(`4111111111111111 4242424242424242 12`, `************1111 ************4242 12`)
	f(`{"a":"4111111111111112"}`, `{"a":"4111111111111112"}`)
}

func FuzzCardNumber(f *testing.F) {
	for _, card := range testCards {
		f.Add([]byte(`{"card":"` + card + `"}`))
	}
	f.Add([]byte(`\u00204111 1111`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, want := found(b), foundPlain(b); got != want {
			t.Fatalf("CardNumber(%q) found %v; a plain search finds %v", b, got, want)
		}
		masked := MaskCards(b)
		if len(masked) != len(b) || found(masked) {
			t.Fatalf("MaskCards(%q) = %q", b, masked)
		}
	})
}
