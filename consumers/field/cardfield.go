package field

// fieldKind is what the name of a field says about the numbers in it.
type fieldKind byte

const (
	fieldPlain fieldKind = iota
	fieldPhone
	fieldCard    // card, PAN, account, number
	fieldLoyalty // a retailer's own card
	fieldArticle // a code of goods or of a thing
)

// fieldNameScan bounds how far before a number the name of its field is looked for.
const fieldNameScan = 256

// fieldWords says what single words of a name mean. Where several words are known, the larger kind wins.
var fieldWords = map[string]fieldKind{
	"card": fieldCard, "cards": fieldCard, "cardnumber": fieldCard, "cardno": fieldCard, "creditcard": fieldCard, "debitcard": fieldCard,
	"pan": fieldCard, "cc": fieldCard, "ccnumber": fieldCard, "account": fieldCard, "acct": fieldCard, "accountnumber": fieldCard,
	"loyalty": fieldLoyalty, "member": fieldLoyalty, "membership": fieldLoyalty, "reward": fieldLoyalty, "rewards": fieldLoyalty,
	"club": fieldLoyalty, "gift": fieldLoyalty, "giftcard": fieldLoyalty, "voucher": fieldLoyalty,
	"gtin": fieldArticle, "ean": fieldArticle, "upc": fieldArticle, "isbn": fieldArticle, "issn": fieldArticle, "itf": fieldArticle,
	"barcode": fieldArticle, "barcodes": fieldArticle, "sku": fieldArticle, "skus": fieldArticle, "imei": fieldArticle,
	"serial": fieldArticle, "sscc": fieldArticle, "iccid": fieldArticle,
	"phone": fieldPhone, "mobile": fieldPhone, "tel": fieldPhone, "telephone": fieldPhone, "fax": fieldPhone, "msisdn": fieldPhone,
	"whatsapp": fieldPhone, "phonenumber": fieldPhone,
}

// fieldBefore tells what the name of the field says that holds position i.
func fieldBefore(b []byte, i int) fieldKind {
	low := max(0, i-fieldNameScan)
	for p := i - 1; p >= low; p-- {
		switch b[p] {
		case ':', '=':
			return fieldNamed(wordBefore(b, p, low))
		case '>':
			return fieldNamed(elementBefore(b, p, low))
		}
	}
	return fieldPlain
}

// wordBefore gives the name that ends before p, without quotes, escapes and spaces.
func wordBefore(b []byte, p, low int) []byte {
	end := p
	for end > low && (space[b[end-1]] || b[end-1] == '"' || b[end-1] == '\'' || b[end-1] == '\\') {
		end--
	}
	start := end
	for start > low && nameChar(b[start-1]) {
		start--
	}
	return b[start:end]
}

// elementBefore gives the name of the XML element whose tag ends at p.
func elementBefore(b []byte, p, low int) []byte {
	for start := p - 1; start >= low; start-- {
		if b[start] != '<' {
			continue
		}
		end := start + 1
		for end < p && (nameChar(b[end]) || b[end] == ':') {
			end++
		}
		return b[start+1 : end]
	}
	return nil
}

func nameChar(c byte) bool { return isLetter(c) || c-'0' <= 9 || c == '_' || c == '-' || c == '.' }

// fieldNamed judges a name by its words, which start at capital letters or behind punctuation; digits at a word's end do not count.
func fieldNamed(name []byte) fieldKind {
	kind := fieldPlain
	var folded [fieldNameScan]byte
	whole := 0
	for i := 0; i < len(name); {
		start, n := i, 0
		var word [32]byte
		for ; i < len(name); i++ {
			c := name[i]
			if !isLetter(c) || i > start && c < 'a' && name[i-1] >= 'a' {
				break
			}
			if n < len(word) {
				word[n] = c | 0x20
				n++
			}
		}
		kind = max(kind, fieldWords[string(word[:n])])
		whole += copy(folded[whole:], word[:n])
		if i < len(name) && !isLetter(name[i]) {
			i++
		}
	}
	// A bare number is the number of the object that it stands in, such as a card; an order_number is not.
	if kind == fieldPlain && string(folded[:whole]) == "number" {
		return fieldCard
	}
	return kind
}
