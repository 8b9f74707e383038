package score

import (
	"encoding/binary"

	"github.com/seamline/seamline/schemas"
)

// appendVisits writes a leaf's ledger, oldest visit first.
func (s *Stage) appendVisits(b []byte, l *leaf) []byte {
	f := &s.fold
	f.spare = s.appendVisitsOf(f.spare[:0], l)
	b = binary.AppendUvarint(b, uint64(len(f.spare)))
	last := schemas.Time(0)
	for i := len(f.spare) - 1; i >= 0; i-- {
		v := &f.spare[i]
		b = binary.LittleEndian.AppendUint64(append(b, byte(v.channel)), v.device)
		b = binary.AppendVarint(b, int64(v.start-last))
		b = binary.AppendVarint(b, int64(v.end-v.start))
		last = v.start
	}
	return b
}

func (s *Stage) loadVisits(i uint32, v []byte) error {
	r := reader{b: v}
	l := s.leafAt(i)
	before := visit{}
	for n := r.uvarint(); n > 0 && !r.bad; n-- {
		at := visit{channel: schemas.Channel(r.byte()), device: r.uint64()}
		at.start = before.start + schemas.Time(r.varint())
		at.end = at.start + schemas.Time(r.varint())
		if int(at.channel) >= schemas.ChannelCount || l.visitCount == visitsMax || at.end < at.start || l.visitCount > 0 && compareVisits(&before, &at) > 0 {
			return errEntry
		}
		s.addVisit(l, at)
		before = at
	}
	if first := l.visits; first != 0 {
		l.visit, l.visits = s.visits.At(first).visit, s.visits.At(first).next
		s.freeVisit(first)
	}
	return r.end()
}

// appendTaste writes a leaf's cells, in the order in which they were made, and its lists of products.
func (s *Stage) appendTaste(b []byte, l *leaf) []byte {
	f := &s.fold
	f.written = s.appendCells(f.written[:0], l)
	b = binary.AppendUvarint(b, uint64(len(f.written)))
	for i := range f.written {
		c := &f.written[i]
		b = binary.AppendUvarint(b, uint64(c.key))
		b = binary.AppendVarint(b, int64(c.top))
		used := cellEpochs
		for used > 0 && c.sums[used-1] == 0 {
			used--
		}
		b = append(b, byte(used))
		for _, n := range c.sums[:used] {
			b = binary.AppendUvarint(b, uint64(n))
		}
	}
	return s.appendRecent(s.appendRecent(b, l.viewed), l.bought)
}

func (s *Stage) appendRecent(b []byte, list uint32) []byte {
	if list == 0 {
		return append(b, 0)
	}
	r := s.recents.At(list)
	n := 0
	for n < recentMax && r[n].sku != 0 {
		n++
	}
	b = append(b, byte(n))
	for _, m := range r[:n] {
		b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(m.sku)), uint64(m.at))
	}
	return b
}

func (s *Stage) loadTaste(i uint32, v []byte) error {
	r := reader{b: v}
	l := s.leafAt(i)
	for n := r.uvarint(); n > 0 && !r.bad; n-- {
		key := uint32(r.uvarint())
		if !isSound(key, len(s.words.words)) {
			return errEntry
		}
		c := s.cell(l, key)
		if c == nil {
			return errEntry
		}
		c.top = int32(r.varint())
		used := r.byte()
		if used > cellEpochs {
			return errEntry
		}
		for e := range used {
			c.sums[e] = uint32(r.uvarint())
		}
		if k := kind(key >> kindBits); k == kindAnswer && c.sums[3]>>8 > uint32(schemas.SurveyCSAT) || k == kindConsent && c.sums[3] > uint32(schemas.ConsentDenied) {
			return errEntry
		}
	}
	for _, list := range []*uint32{&l.viewed, &l.bought} {
		for n := r.byte(); n > 0 && !r.bad; n-- {
			m := moment{sku: uint32(r.uvarint()), at: uint32(r.uvarint())}
			if m.sku == 0 || int(m.sku) >= len(s.skus.words) {
				return errEntry
			}
			if *list == 0 {
				*list = s.recents.Append(recent{})
			}
			s.recents.At(*list).note(s.skus.words, m)
		}
	}
	return r.end()
}

// isSound tells whether a cell's key means something.
func isSound(key uint32, words int) bool {
	of := int(key & (1<<kindBits - 1))
	switch kind(key >> kindBits) {
	case kindCategory, kindBrand, kindAnswer:
		return of < words
	case kindMessages:
		return of < schemas.ChannelCount
	case kindHour:
		return of < hoursOfWeek
	case kindConsent:
		return of < schemas.PurposeCount
	case kindSent, kindClick, kindOpen:
		return of == 0
	}
	return false
}

// appendStay writes what a leaf's latest session is about.
func (s *Stage) appendStay(b []byte, at *stay) []byte {
	b = binary.LittleEndian.AppendUint64(b, at.device)
	for _, t := range []schemas.Time{at.first, at.last - at.first, at.noted - at.first} {
		b = binary.AppendVarint(b, int64(t))
	}
	b = binary.AppendVarint(b, at.dwell)
	for _, sku := range at.skus {
		b = binary.AppendUvarint(b, uint64(sku))
	}
	for _, n := range []uint16{at.pages, at.views, at.adds, at.searches} {
		b = binary.AppendUvarint(b, uint64(n))
	}
	b = append(b, byte(at.channel), packBools(at.ordered, at.checkout, at.returning, at.known, at.bought, at.due != 0))
	if at.extras == 0 {
		return append(b, 0)
	}
	all := s.extras.At(at.extras)
	b = append(b, all.n)
	for i := range all.n {
		x := &all.list[i]
		b = appendFloat(binary.AppendUvarint(append(b, x.name), uint64(x.word)), x.value)
	}
	return b
}

func (s *Stage) loadStay(i uint32, v []byte) error {
	r := reader{b: v}
	at := stay{device: r.uint64(), first: schemas.Time(r.varint())}
	at.last, at.noted = at.first+schemas.Time(r.varint()), at.first+schemas.Time(r.varint())
	at.dwell = r.varint()
	for n := range at.skus {
		at.skus[n] = uint32(r.uvarint())
		if int(at.skus[n]) >= len(s.skus.words) {
			return errEntry
		}
	}
	for _, n := range []*uint16{&at.pages, &at.views, &at.adds, &at.searches} {
		*n = uint16(r.uvarint())
	}
	at.channel = schemas.Channel(r.byte())
	isOpen := false
	unpackBools(r.byte(), &at.ordered, &at.checkout, &at.returning, &at.known, &at.bought, &isOpen)
	if int(at.channel) >= schemas.ChannelCount {
		return errEntry
	}
	for n := r.byte(); n > 0 && !r.bad; n-- {
		x := extra{name: r.byte(), word: uint32(r.uvarint()), value: r.float()}
		if int(x.word) >= len(s.words.words) {
			return errEntry
		}
		if int(x.name) < len(s.cfg.propertyNames) { // the settings may name fewer by now
			s.noteExtra(&at, x)
		}
	}
	if isOpen {
		at.due = at.last + s.gap(at.channel)
		s.endings.push(uint64(i), at.due)
	}
	s.leafAt(i).stay = at
	return r.end()
}

func appendCase(b []byte, c *cartCase) []byte {
	b = binary.AppendVarint(binary.AppendVarint(b, int64(c.at)), int64(c.value))
	return append(binary.AppendUvarint(b, uint64(c.changes)), byte(c.channel), packBools(c.bought, c.learned))
}

func (s *Stage) loadCase(leaf uint64, v []byte) error {
	r := reader{b: v}
	c := cartCase{at: schemas.Time(r.varint()), value: schemas.Decimal(r.varint()), changes: uint16(r.uvarint()), channel: schemas.Channel(r.byte())}
	unpackBools(r.byte(), &c.bought, &c.learned)
	if int(c.channel) >= schemas.ChannelCount {
		return errEntry
	}
	s.cases.Put(leaf, c)
	if !c.learned {
		s.verdicts.push(leaf, s.verdict(c.at))
	}
	return r.end()
}

func packBools(bits ...bool) (b byte) {
	for i, set := range bits {
		if set {
			b |= 1 << i
		}
	}
	return b
}

func unpackBools(b byte, bits ...*bool) {
	for i, bit := range bits {
		*bit = b&(1<<i) != 0
	}
}
