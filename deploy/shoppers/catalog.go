package shoppers

import "fmt"

// catalogSize is the number of products; the categories below share them evenly.
const catalogSize = 300

// product is one article. Prices are without tax, in cents.
type product struct {
	sku, id, gtin, name string
	category, brand     string
	path                string // of its page in the web shop
	price, cost         int64
}

var categories = [...]struct {
	name      string
	low, high int64 // price range in cents
	nouns     [5]string
}{
	{"Shoes", 3900, 18900, [5]string{"Running Shoe", "Boot", "Sandal", "Sneaker", "Loafer"}},
	{"Shirts", 1490, 7900, [5]string{"Oxford Shirt", "T-Shirt", "Polo", "Blouse", "Flannel Shirt"}},
	{"Trousers", 2990, 12900, [5]string{"Jeans", "Chino", "Legging", "Short", "Cargo Trouser"}},
	{"Jackets", 5990, 34900, [5]string{"Rain Jacket", "Parka", "Blazer", "Down Vest", "Windbreaker"}},
	{"Bags", 1990, 24900, [5]string{"Backpack", "Tote", "Duffel", "Messenger Bag", "Wallet"}},
	{"Kitchen", 590, 14900, [5]string{"Saucepan", "Chef Knife", "Mixing Bowl", "Kettle", "Cutting Board"}},
	{"Lighting", 990, 19900, [5]string{"Desk Lamp", "Floor Lamp", "Bulb Set", "Lantern", "Night Light"}},
	{"Garden", 490, 29900, [5]string{"Planter", "Hose", "Pruner", "Deck Chair", "Bird Feeder"}},
	{"Toys", 690, 9900, [5]string{"Puzzle", "Train Set", "Plush Bear", "Board Game", "Kite"}},
	{"Beauty", 390, 8900, [5]string{"Hand Cream", "Shampoo", "Perfume", "Face Mask", "Soap Set"}},
	{"Sports", 790, 39900, [5]string{"Yoga Mat", "Dumbbell", "Tennis Racket", "Bottle", "Helmet"}},
	{"Books & Paper", 290, 4900, [5]string{"Notebook", "Calendar", "Novel", "Cook Book", "12\" Sketch Pad"}},
}

var brands = [10]string{"Northwind", "Fabrikam", "Contoso", "Alder & Co", "Lumen", "Kestrel", "Basalt", "Harbor", "Verdant", "Piccolo"}

var variants = [8]string{"Black", "Blue", "Red", "Green", "Sand", "White", "Classic", "Pro"}

// categoryPaths are the pages of the categories.
var categoryPaths = func() (paths [len(categories)]string) {
	for i, c := range categories {
		paths[i] = "/c/" + slug(c.name)
	}
	return paths
}()

// newCatalog builds the shelf. It does not depend on the seed, so that runs can be compared.
func newCatalog() []product {
	catalog := make([]product, catalogSize)
	for i := range catalog {
		c := categories[i%len(categories)]
		r := rng{mix(0xca7a109, uint64(i))}
		brand := brands[r.below(len(brands))]
		price := r.between(c.low, c.high)/100*100 + 99
		gtin := fmt.Sprintf("29%010d", i*7919+1000)
		catalog[i] = product{
			sku:      fmt.Sprintf("SKU-%04d", 1000+i),
			id:       fmt.Sprintf("prod-%d", 5000+i),
			gtin:     gtin + string(rune('0'+gtinCheck(gtin))),
			name:     fmt.Sprintf("%s %s %s", brand, c.nouns[i/len(categories)%5], variants[r.below(len(variants))]),
			category: c.name, brand: brand, price: price, cost: price * r.between(35, 70) / 100,
		}
		catalog[i].path = categoryPaths[i%len(categories)] + "/" + slug(catalog[i].name)
	}
	return catalog
}

// gtinCheck returns the check digit of the first twelve digits of a GTIN-13.
func gtinCheck(digits string) int {
	sum := 0
	for i := range len(digits) {
		sum += int(digits[i]-'0') * (1 + i%2*2)
	}
	return (10 - sum%10) % 10
}

// pick returns the index of a product of the category, or of any product when category is negative.
// Low numbers are the popular ones.
func pick(r *rng, category int) int {
	popular := r.float()
	n := catalogSize
	if category >= 0 {
		n = catalogSize / len(categories)
	}
	i := int(popular * popular * float64(n))
	if category >= 0 {
		return i*len(categories) + category
	}
	return i
}

// posKind is the make of a store's tills.
type posKind uint8

const (
	posSeamline posKind = iota
	posSquare
	posShopify
	posLightspeed
	posKinds
)

// posOf gives the makes turns, with the Seamline receipt twice in five.
func posOf(store int) posKind {
	return [5]posKind{posSeamline, posSquare, posShopify, posSeamline, posLightspeed}[store%5]
}

// taxPercent is added to every price at the till and at the checkout.
const taxPercent = 8

// line is one position of an order or receipt.
type line struct {
	product  uint16
	quantity uint8
	discount int32 // cents off the whole line
}

// amounts are the sums of an order in cents. net is without tax and shipping, gross is what was paid.
type amounts struct{ subtotal, discount, tax, shipping, net, gross int64 }

func (g *Generator) lineNet(l line) int64 {
	return g.catalog[l.product].price*int64(l.quantity) - int64(l.discount)
}

func (g *Generator) lineTax(l line) int64 { return (g.lineNet(l)*taxPercent + 50) / 100 }

// sum adds up lines. Tax is rounded line by line, as tills do.
func (g *Generator) sum(lines []line, shipping int64) amounts {
	a := amounts{shipping: shipping}
	for _, l := range lines {
		a.subtotal += g.catalog[l.product].price * int64(l.quantity)
		a.discount += int64(l.discount)
		a.tax += g.lineTax(l)
	}
	a.net = a.subtotal - a.discount
	a.gross = a.net + a.tax + a.shipping
	return a
}
