package score

import (
	"github.com/segmentio/encoding/json"

	"github.com/seamline/seamline/pipeline/score/model"
	"github.com/seamline/seamline/schemas"
)

// Purchase propensity: the probability that a session like the person's latest one ends in an order, by logistic regression that learns from
// every session when it is over (FTRL-Proximal; McMahan et al., KDD 2013). A session is an example once: what was known in it before an
// order, and whether it had one. Sessions are learned from in the order in which they end, which depends on the events alone; scores use
// the weights as of the last fit. Calibration is prequential: each example is predicted before it is learned from.

// stay is what happened in the latest session of a leaf.
type stay struct {
	device      uint64
	first, last schemas.Time
	noted       schemas.Time // of the last event that is noted: of those before an order
	due         schemas.Time // when it is over, as far as it is on the queue; 0 where it is learned from
	dwell       int64        // milliseconds
	skus        [4]uint32    // looked at last
	extras      uint32       // properties; 0 for none
	pages       uint16
	views       uint16
	adds        uint16
	searches    uint16
	channel     schemas.Channel
	ordered     bool // nothing is noted behind an order
	checkout    bool
	returning   bool // the leaf was there before
	known       bool // with an account
	bought      bool // the leaf bought before
	unsaved     bool
}

// extras are properties of events that the settings name, as of the last event that had them.
type extras struct {
	list [extrasMax]extra
	n    uint8
}

type extra struct {
	value float64
	word  uint32 // 0 for a number
	name  uint8  // index in the settings
}

const extrasMax = 24

// learner is a model that learns in a stream, with the weights that scores use until the next fit.
type learner struct {
	live, used  *model.FTRL
	calibration model.Calibration
	features    model.Features
	state       []model.Weight
	changed     bool // since the last Save
	learned     bool // since the last fit
}

func newLearner() *learner {
	live, err := model.NewFTRL(model.DefaultRates)
	used, err2 := model.NewFTRL(model.DefaultRates)
	if err != nil || err2 != nil {
		panic("score: the default rates are no rates")
	}
	return &learner{live: live, used: used}
}

// learn takes the example in that was built.
func (n *learner) learn(y bool) {
	n.calibration.Add(n.live.Learn(n.features.List(), y), y)
	n.changed, n.learned = true, true
}

// fit lets scores use what was learned.
func (n *learner) fit() {
	if !n.learned {
		return
	}
	n.state = n.live.State(n.state[:0])
	used, err := model.NewFTRL(model.DefaultRates) // rows as of before go on with the weights before
	if err == nil {
		err = used.Restore(n.state)
	}
	if err != nil {
		panic("score: " + err.Error()) // State gave it
	}
	n.used = used
	n.learned, n.changed = false, true
}

// report appends the row of the model: how well it predicted.
func (n *learner) report(m *models, b *schemas.Batch, name string) {
	r := n.calibration.Report()
	if r.Count == 0 {
		return
	}
	m.add(b, name, r.Count, -r.LogLoss*float64(r.Count), parameter("positives", float64(r.Positives)), parameter("log_loss", r.LogLoss),
		parameter("auc", r.AUC), parameter("average_precision", r.AveragePrecision), parameter("calibration_error", r.Error))
}

// observe notes an event of web or app in the leaf's latest session, and begins one where the last is over.
func (s *Stage) observe(l *leaf, e *schemas.Event, device uint64) *stay {
	at, gap := &l.stay, s.gap(e.Channel)
	switch {
	case at.first == 0 || e.Time > at.last+gap || at.device != device && e.Time > at.last:
		s.end(at)
		x := at.extras
		if x != 0 {
			s.extras.At(x).n = 0
		}
		*at = stay{device: device, first: e.Time, last: e.Time, noted: e.Time, channel: e.Channel, returning: at.first != 0, bought: l.orders != 0,
			extras: x, unsaved: at.unsaved, due: e.Time + gap}
		s.endings.push(uint64(e.Leaf), at.due)
	case e.Time < at.first || at.device != device:
		return nil // too late to count
	default:
		at.last = max(at.last, e.Time)
	}
	if !at.unsaved {
		at.unsaved = true
		s.unsaved.stays = append(s.unsaved.stays, e.Leaf)
	}
	if !at.ordered {
		s.noteIn(at, e)
	}
	return at
}

// noteIn counts what an event tells about the session.
func (s *Stage) noteIn(at *stay, e *schemas.Event) {
	switch e.Type {
	case schemas.TypePageView, schemas.TypeScreenView:
		at.pages += 1 &^ (at.pages >> 15)
	case schemas.TypeProductView:
		at.views += 1 &^ (at.views >> 15)
	case schemas.TypeCartAdd:
		at.adds += 1 &^ (at.adds >> 15)
	case schemas.TypeSearch:
		at.searches += 1 &^ (at.searches >> 15)
	case schemas.TypeCheckoutStart, schemas.TypeCheckoutStep:
		at.checkout = true
	case schemas.TypeLogin, schemas.TypeIdentify, schemas.TypeSignup:
		at.known = true
	case schemas.TypeOrder:
		at.ordered = true
		return
	}
	at.noted = max(at.noted, e.Time)
	at.dwell += min(max(0, e.DwellMillis), int64(readingMax))
	if len(s.cfg.propertyNames) > 0 && e.Properties != "" {
		s.noteProperties(at, e.Properties)
	}
}

// noteProperties notes the properties that the settings name.
func (s *Stage) noteProperties(at *stay, properties string) {
	t := json.NewTokenizer([]byte(properties))
	for t.Next() {
		if !t.IsKey || t.Depth != 1 {
			continue
		}
		name := -1
		for i, n := range s.cfg.propertyNames {
			if string(t.String()) == n {
				name = i
			}
		}
		if name < 0 || !t.Next() || !t.Next() { // the colon, then the value
			continue
		}
		var x extra
		switch k := t.Kind().Class(); k {
		case json.Num:
			x.value = t.Float()
		case json.String:
			x.word = s.words.of(string(t.String()))
		case json.Bool:
			x.word = s.words.of(string(t.Value))
		default:
			continue
		}
		x.name = uint8(name)
		s.noteExtra(at, x)
	}
}

func (s *Stage) noteExtra(at *stay, x extra) {
	if at.extras == 0 {
		at.extras = s.extras.Append(extras{})
	}
	all := s.extras.At(at.extras)
	for i := range all.n {
		if all.list[i].name == x.name {
			all.list[i] = x
			return
		}
	}
	if all.n < extrasMax {
		all.list[all.n] = x
		all.n++
	}
}

// orderIn tells the latest session of a leaf that the person ordered, where the order came without a device.
func (s *Stage) orderIn(l *leaf, e *schemas.Event) {
	at := &l.stay
	if at.due != 0 && e.Time >= at.first && e.Time <= at.last+s.gap(at.channel) && !at.ordered {
		at.ordered = true
		if !at.unsaved {
			at.unsaved = true
			s.unsaved.stays = append(s.unsaved.stays, e.Leaf)
		}
	}
}

// passSessions learns from the sessions that are over.
func (s *Stage) passSessions(now schemas.Time) {
	s.endings.pass(now, s.readStays, func(key uint64, minute int64) schemas.Time {
		at := &s.leaves.At(uint32(key)).stay
		if at.due == 0 {
			return 0
		}
		if over := at.last + s.gap(at.channel); minuteAfter(over) > minute {
			at.due = over
			return over
		}
		s.end(at)
		if !at.unsaved {
			at.unsaved = true
			s.unsaved.stays = append(s.unsaved.stays, uint32(key))
		}
		return 0
	})
}

// readStays reads ahead what learning from the sessions of some leaves needs.
func (s *Stage) readStays(keys []uint64) {
	sum := schemas.Time(0)
	for _, key := range keys {
		at := &s.leaves.At(uint32(key)).stay
		sum += at.last + schemas.Time(at.adds)
	}
	s.ahead.sum += uint64(sum)
}

// end learns from a session, once.
func (s *Stage) end(at *stay) {
	if at.due == 0 {
		return
	}
	at.due = 0
	s.describeStay(&s.propensity.features, at)
	s.propensity.learn(at.ordered)
}

// describeStay makes an example of a session.
func (s *Stage) describeStay(f *model.Features, at *stay) {
	f.Reset()
	f.Number("pages", float64(at.pages))
	f.Number("views", float64(at.views))
	f.Number("adds", float64(at.adds))
	f.Number("searches", float64(at.searches))
	f.Number("dwell", float64(at.dwell/1000))
	f.Number("minutes", float64((at.noted-at.first)/schemas.Minute))
	f.Word("channel", at.channel.String())
	f.Word("checkout", yesNo[toInt(at.checkout)])
	f.Word("returning", yesNo[toInt(at.returning)])
	f.Word("known", yesNo[toInt(at.known)])
	f.Word("bought", yesNo[toInt(at.bought)])
	if at.extras == 0 {
		return
	}
	all := s.extras.At(at.extras)
	for i := range all.n {
		x := &all.list[i]
		if x.word != 0 {
			f.Word(s.cfg.propertyNames[x.name], s.words.words[x.word])
		} else {
			f.Number(s.cfg.propertyNames[x.name], x.value*propertyScale)
		}
	}
}

// propertyScale is what numbers of properties are multiplied with: many are shares and rates.
const propertyScale = 1000

var yesNo = [2]string{"no", "yes"}

func toInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// propensityOf sets the purchase propensity of the latest session of the leaves that were folded.
func (s *Stage) propensityOf(g *generation, sc *schemas.Scores) {
	var latest *stay
	for _, i := range s.fold.leaves {
		if at := &s.leaves.At(i).stay; at.first != 0 {
			if latest == nil || at.last > latest.last || at.last == latest.last && at.device > latest.device {
				latest = at
			}
		}
	}
	if latest == nil {
		return
	}
	s.describeStay(&s.features, latest)
	sc.Propensity = float32(g.propensity.Predict(s.features.List()))
}
