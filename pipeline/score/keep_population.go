package score

import (
	"encoding/binary"
	"encoding/json"
	"math"

	"github.com/seamline/seamline/pipeline/score/model"
	"github.com/seamline/seamline/schemas"
)

// savePopulation writes what changed of products, of people's standings, and of what models learn from.
func (s *Stage) savePopulation(put *putter) {
	u := &s.unsaved
	list32(put, keyStanding, u.standings, func(b []byte, i uint32) []byte {
		st := s.standings.At(i)
		b = binary.AppendVarint(binary.AppendVarint(b, int64(st.revenue)), int64(st.repeatMean))
		return binary.AppendVarint(binary.AppendVarint(binary.AppendUvarint(b, uint64(st.days)), int64(st.first)), int64(st.last))
	})
	list32(put, keyAccount, u.accounts, func(b []byte, i uint32) []byte { return binary.AppendVarint(b, int64(s.accounts.At(i).demo)) })
	list32(put, keyProduct, u.products, func(b []byte, i uint32) []byte { return s.appendProduct(b, s.products.At(i)) })
	list64(put, keyPair, u.pairs, func(b []byte, k uint64) []byte { return binary.AppendUvarint(b, uint64(s.pairs.Ref(k).n)) })
	list32(put, keyCompanions, u.companions, func(b []byte, i uint32) []byte {
		for _, c := range &s.companions[i] {
			if c.sku == 0 {
				break
			}
			b = binary.LittleEndian.AppendUint32(binary.AppendUvarint(b, uint64(c.sku)), math.Float32bits(c.llr))
		}
		return b
	})
	list32(put, keyWordStats, u.words, func(b []byte, i uint32) []byte {
		return binary.AppendUvarint(binary.AppendUvarint(b, s.wordStats.At(i).categories), s.wordStats.At(i).brands)
	})
	if text, err := json.Marshal(&s.people.events); err == nil { // it holds numbers only
		put.entry32(keyCounters, 0, append(put.value[:0], text...))
	}
	for i, n := range s.learners() {
		if n.changed {
			put.entry32(keyLearner, uint32(i), n.append(put.value[:0]))
		}
	}
	list64(put, keyRenamed, u.renamed, func(b []byte, k uint64) []byte {
		head, _ := s.renamed.Get(k)
		for i := head; i != 0; i = s.formerIDs.At(i).next {
			b = binary.LittleEndian.AppendUint64(b, s.formerIDs.At(i).id)
		}
		return b
	})
}

func (s *Stage) learners() []*learner { return []*learner{s.propensity, s.conversion} }

// savedPopulation marks as saved what savePopulation wrote.
func (s *Stage) savedPopulation() {
	u := &s.unsaved
	for _, i := range u.standings {
		s.standings.At(i).unsaved = false
	}
	for _, i := range u.accounts {
		s.accounts.At(i).unsaved = false
	}
	for _, i := range u.products {
		s.products.At(i).unsaved = false
	}
	for _, k := range u.pairs {
		s.pairs.Ref(k).unsaved = false
	}
	for _, i := range u.words {
		s.wordStats.At(i).unsaved = false
	}
	for _, n := range s.learners() {
		n.changed = false
	}
}

// loadPopulation takes one entry of the population.
func (s *Stage) loadPopulation(kind byte, i uint32, v []byte) error {
	r := reader{b: v}
	switch kind {
	case keyModels:
		return s.loadModels(v)
	case keyStanding:
		s.standings.Extend(int(i) + 1)
		st := s.standings.At(i)
		*st = standing{revenue: schemas.Decimal(r.varint()), repeatMean: schemas.Decimal(r.varint()), days: uint32(r.uvarint()),
			first: int32(r.varint()), last: int32(r.varint())}
		s.people.count(st, 1)
	case keyAccount:
		s.accounts.Extend(int(i) + 1)
		s.accounts.At(i).demo = schemas.Time(r.varint())
	case keyProduct:
		return s.loadProduct(i, v)
	case keyCompanions:
		if s.companions == nil {
			s.companions = make([]companions, 2*len(s.skus.words))
		}
		if int(i) >= len(s.companions) {
			return errEntry
		}
		for n := 0; len(r.b) > 0; n++ {
			c := companion{sku: uint32(r.uvarint()), llr: math.Float32frombits(r.uint32())}
			if n == companionsMax || c.sku == 0 || int(c.sku) >= len(s.skus.words) || r.bad {
				return errEntry
			}
			s.companions[i][n] = c
		}
	case keyWordStats:
		s.wordStats.Extend(int(i) + 1)
		*s.wordStats.At(i) = wordStats{categories: r.uvarint(), brands: r.uvarint()}
	case keyCounters:
		if json.Unmarshal(v, &s.people.events) != nil {
			return errEntry
		}
		return nil
	case keyLearner:
		if int(i) >= len(s.learners()) {
			return errEntry
		}
		return s.learners()[i].load(v)
	}
	return r.end()
}

// loadKeyed takes one entry with a key of eight bytes.
func (s *Stage) loadKeyed(kind byte, k uint64, v []byte) error {
	r := reader{b: v}
	switch kind {
	case keySessionOld:
		return s.loadOldSession(k, v)
	case keySession:
		var at session
		for i := range at.spans {
			at.spans[i].start = schemas.Time(r.varint())
			at.spans[i].end = at.spans[i].start + schemas.Time(r.varint())
		}
		s.sessions.Put(k, at)
	case keyCase:
		return s.loadCase(k, v)
	case keyPair:
		_, a, b := splitPair(k)
		if max(a, b) >= uint32(len(s.skus.words)) {
			return errEntry
		}
		s.pairs.Put(k, pair{n: uint32(r.uvarint())})
	case keyRenamed:
		head := uint32(0)
		ids := make([]uint64, 0, len(v)/8)
		for len(r.b) > 0 && !r.bad {
			ids = append(ids, r.uint64())
		}
		for n := len(ids) - 1; n >= 0; n-- {
			head = s.formerIDs.Append(former{id: ids[n], next: head})
		}
		if head != 0 {
			s.renamed.Put(k, head)
		}
	default:
		return errEntry
	}
	return r.end()
}

// loadOldSession takes what the build before knew of a device.
func (s *Stage) loadOldSession(k uint64, v []byte) error {
	r := reader{b: v}
	r.uvarint()
	hasPrevious := r.uvarint() != 0
	var at session
	for _, t := range []*schemas.Time{&at.spans[0].start, &at.spans[0].end, &at.spans[1].start, &at.spans[1].end} {
		*t = schemas.Time(r.varint())
	}
	if !hasPrevious {
		at.spans[1] = span{}
	}
	if s.sessions.Ref(k) == nil { // else this build has written what it knows
		s.sessions.Put(k, at)
	}
	return r.end()
}

// appendProduct writes a product with its descriptions and stocks.
func (s *Stage) appendProduct(b []byte, p *product) []byte {
	for _, n := range []uint64{uint64(p.baskets), uint64(p.sessions), uint64(p.category), p.weight} {
		b = binary.AppendUvarint(b, n)
	}
	n := uint64(0)
	for i := p.version; i != 0; i = s.descriptions.At(i).next {
		n++
	}
	b = binary.AppendUvarint(b, n)
	for i := p.version; i != 0; i = s.descriptions.At(i).next {
		d := s.descriptions.At(i)
		for _, x := range []int64{int64(d.at), int64(d.price), int64(d.list), int64(d.cost)} {
			b = binary.AppendVarint(b, x)
		}
		b = append(binary.AppendUvarint(binary.AppendUvarint(b, uint64(d.category)), uint64(d.brand)), packBools(d.gone))
	}
	for i := p.stock; i != 0; i = s.stocks.At(i).next {
		at := s.stocks.At(i)
		b = binary.AppendVarint(binary.AppendVarint(b, int64(at.at)), int64(at.pieces))
		b = append(binary.AppendUvarint(b, uint64(at.place)), packBools(at.gone))
	}
	return b
}

func (s *Stage) loadProduct(i uint32, v []byte) error {
	r := reader{b: v}
	p := product{baskets: uint32(r.uvarint()), sessions: uint32(r.uvarint()), category: uint32(r.uvarint()), weight: r.uvarint()}
	at, words := &p.version, uint32(len(s.words.words))
	if p.category >= words {
		return errEntry
	}
	for n := r.uvarint(); n > 0 && !r.bad; n-- {
		d := description{at: schemas.Time(r.varint()), price: schemas.Decimal(r.varint()), list: schemas.Decimal(r.varint()), cost: schemas.Decimal(r.varint()),
			category: uint32(r.uvarint()), brand: uint32(r.uvarint())}
		unpackBools(r.byte(), &d.gone)
		if d.category >= words || d.brand >= words {
			return errEntry
		}
		*at = s.descriptions.Append(d)
		at = &s.descriptions.At(*at).next
	}
	at = &p.stock
	for len(r.b) > 0 && !r.bad {
		k := stock{at: schemas.Time(r.varint()), pieces: schemas.Decimal(r.varint()), place: uint32(r.uvarint())}
		unpackBools(r.byte(), &k.gone)
		if k.place >= words {
			return errEntry
		}
		*at = s.stocks.Append(k)
		at = &s.stocks.At(*at).next
	}
	*s.product(i) = p
	return r.end()
}

// storedModels is what is stored of the models in force.
type storedModels struct {
	Models  *models
	NextFit schemas.Time
	HasNews bool
}

// appendModels writes the models in force, and when they are fitted next.
func (s *Stage) appendModels(b []byte) []byte {
	next := []byte(nil)
	if text, err := json.Marshal(storedModels{Models: s.models, NextFit: s.nextFit, HasNews: s.hasNews}); err == nil { // numbers only, all of them finite
		next = text
	}
	return append(b, next...)
}

func (s *Stage) loadModels(v []byte) error {
	var at storedModels
	if json.Unmarshal(v, &at) != nil || at.Models == nil || len(at.Models.BestHours) > hoursOfWeek {
		return errEntry
	}
	s.models, s.nextFit, s.hasNews = at.Models, at.NextFit, at.HasNews
	return nil
}

// append writes a learner: the weights that it has learned, those in use, and how well it predicted.
func (n *learner) append(b []byte) []byte {
	for _, m := range []*model.FTRL{n.live, n.used} {
		n.state = m.State(n.state[:0])
		b = binary.AppendUvarint(b, uint64(len(n.state)))
		for _, w := range n.state {
			b = appendFloat(appendFloat(binary.AppendUvarint(b, w.Key), w.Z), w.N)
		}
	}
	c := &n.calibration
	for _, list := range [][]uint64{c.Positive[:], c.Negative[:], c.Counted[:], c.Happened[:]} {
		for _, x := range list {
			b = binary.AppendUvarint(b, x)
		}
	}
	for _, x := range c.Predicted {
		b = binary.AppendVarint(b, x)
	}
	return append(binary.AppendVarint(b, c.Loss), packBools(n.learned))
}

func (n *learner) load(v []byte) error {
	r := reader{b: v}
	for _, m := range []*model.FTRL{n.live, n.used} {
		list := []model.Weight{}
		for left := r.uvarint(); left > 0 && !r.bad; left-- {
			list = append(list, model.Weight{Key: r.uvarint(), Z: r.float(), N: r.float()})
		}
		if r.bad || m.Restore(list) != nil {
			return errEntry
		}
	}
	c := &n.calibration
	for _, list := range [][]uint64{c.Positive[:], c.Negative[:], c.Counted[:], c.Happened[:]} {
		for i := range list {
			list[i] = r.uvarint()
		}
	}
	for i := range c.Predicted {
		c.Predicted[i] = r.varint()
	}
	c.Loss = r.varint()
	unpackBools(r.byte(), &n.learned)
	return r.end()
}

func appendFloat(b []byte, x float64) []byte {
	return binary.LittleEndian.AppendUint64(b, math.Float64bits(x))
}
