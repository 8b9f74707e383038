package shoppers

// productMembers writes the members of a Segment product.
func (s *session) productMembers(w *writer, index int) {
	p := &s.g.catalog[index]
	w.raw(`"product_id":"`)
	w.raw(p.id)
	w.raw(`","sku":"`)
	w.raw(p.sku)
	w.raw(`","category":`)
	w.str(p.category)
	w.raw(`,"name":`)
	w.str(p.name)
	w.raw(`,"brand":`)
	w.str(p.brand)
	w.raw(`,"price":`)
	w.cents(p.price)
}

// productList writes products with their positions in a list.
func (s *session) productList(w *writer, category, n int) {
	w.raw(`"products":[`)
	for i := range n {
		if i > 0 {
			w.raw(`,`)
		}
		w.raw(`{`)
		s.productMembers(w, pick(&s.r, category))
		w.raw(`,"position":`)
		w.int(int64(i + 1))
		w.raw(`}`)
	}
	w.raw(`]`)
}

// viewList looks at a category, sometimes with a filter.
func (s *session) viewList() {
	category := s.r.below(len(categories))
	s.visit(categoryPaths[category], categories[category].name)
	k, name := kindListViewed, "Product List Viewed"
	if s.r.chance(0.2) {
		k, name = kindListFiltered, "Product List Filtered"
	}
	w := s.open(k, "track", name)
	s.properties(w)
	w.raw(`"list_id":"list-`)
	w.int(int64(category))
	w.raw(`","category":`)
	w.str(categories[category].name)
	w.raw(`,`)
	if k == kindListFiltered {
		w.raw(`"filters":[{"type":"department","value":`)
		w.str(categories[category].name)
		w.raw(`},{"type":"price","value":"under-$50"}],"sorts":[{"type":"price","value":"desc"}],`)
	}
	s.productList(w, category, 2+s.r.below(3))
	s.close(`}}`)
	s.pause(20)
	if s.r.chance(0.4) {
		index := pick(&s.r, category)
		w := s.open(kindProductClicked, "track", "Product Clicked")
		s.properties(w)
		s.productMembers(w, index)
		w.raw(`,"position":1`)
		s.close(`}}`)
		s.viewProduct(index)
	}
}

func (s *session) search() {
	product := &s.g.catalog[pick(&s.r, -1)]
	s.visit("/search", "Search")
	w := s.open(kindSearched, "track", "Products Searched")
	s.properties(w)
	w.raw(`"query":`)
	if s.r.chance(0.5) {
		w.str(product.brand + " " + product.category)
	} else {
		w.str(slug(product.category))
	}
	s.close(`}}`)
	s.pause(15)
}

// viewProduct opens the page of a product.
func (s *session) viewProduct(index int) {
	product := &s.g.catalog[index]
	if s.r.chance(0.5) {
		s.visit(product.path, product.name)
	} else {
		s.path, s.title = product.path, product.name
	}
	w := s.open(kindProductViewed, "track", "Product Viewed")
	s.properties(w)
	s.productMembers(w, index)
	w.raw(`,"currency":"`)
	w.raw(s.g.cfg.Currency)
	w.raw(`","value":`)
	w.cents(product.price)
	w.raw(`,"url":"` + shopURL)
	w.raw(product.path)
	w.raw(`"`)
	s.close(`}}`)
	s.pause(30)
}

func (s *session) wish(k kind, name string) {
	w := s.open(k, "track", name)
	s.properties(w)
	w.raw(`"wishlist_id":"wl-`)
	w.int(int64(s.p.index))
	w.raw(`","wishlist_name":"Later",`)
	s.productMembers(w, pick(&s.r, -1))
	s.close(`}}`)
	s.pause(10)
}

func (s *session) shareProduct() {
	w := s.open(kindShared, "track", "Product Shared")
	s.properties(w)
	w.raw(`"share_via":"email","share_message":"Look \"here\"!\nNice, isn't it?",`)
	s.productMembers(w, pick(&s.r, -1))
	s.close(`}}`)
	s.pause(20)
}

func (s *session) review() {
	w := s.open(kindReviewed, "track", "Product Reviewed")
	s.properties(w)
	w.raw(`"product_id":"`)
	w.raw(s.g.catalog[pick(&s.r, -1)].id)
	w.raw(`","review_id":"rv-`)
	w.token(s.message, 10)
	w.raw(`","review_body":"Größe passt, très bien \u2713","rating":"`)
	w.int(int64(1 + s.r.below(5)))
	w.raw(`"`)
	s.close(`}}`)
	s.pause(60)
}

// locateStore is an event of the shop's own making.
func (s *session) locateStore() {
	w := s.open(kindLocator, "track", "Store Locator Used")
	s.properties(w)
	w.raw(`"store_id":"`)
	w.b = appendStore(w.b, s.r.below(s.g.cfg.Stores))
	w.raw(`","radius_km":25`)
	s.close(`}}`)
	s.pause(15)
}

func (s *session) promotion() {
	number := int64(s.r.below(5))
	for _, k := range [...]kind{kindPromoViewed, kindPromoClicked} {
		name := "Promotion Viewed"
		if k == kindPromoClicked {
			name = "Promotion Clicked"
		}
		w := s.open(k, "track", name)
		s.properties(w)
		w.raw(`"promotion_id":"promo-`)
		w.int(number)
		w.raw(`","creative":"banner-a","name":"Autumn Sale","position":"home_top"`)
		s.close(`}}`)
		s.pause(5)
		if !s.r.chance(0.3) {
			return
		}
	}
}
