package shoppers

import "time"

// The owners of an Identifier.
const (
	OwnerPerson      = "person"      // one person's alone: its links can be judged
	OwnerShared      = "shared"      // of a household's tablet: who acts is known only while somebody is logged in
	OwnerKiosk       = "kiosk"       // of a store's kiosk: strangers in turn
	OwnerPlaceholder = "placeholder" // means nobody
	OwnerBot         = "bot"         // of a crawler
)

// Identifier is one value that was on a record.
type Identifier struct {
	Namespace string `json:"namespace"`
	Value     string `json:"value"` // e-mail addresses in lower case, telephone numbers in E.164, others as sent
	Owner     string `json:"owner"`
	Person    int    `json:"person"`            // index in Persons, or -1 unless Owner is person
	Persons   []int  `json:"persons,omitempty"` // of a shared one: who uses it
	// Cluster numbers the sets of one person's identifiers that records tie together, directly or in steps. Identifiers of one
	// person in two clusters cannot be known to belong together. -1 unless Owner is person.
	Cluster int `json:"cluster"`
}

// Sales is what a person did in one channel. Amounts are decimal strings in the currency of the run,
// with refunds and voids taken off.
type Sales struct {
	Orders        int    `json:"orders"`
	Refunds       int    `json:"refunds"`        // and voids
	Net           string `json:"net"`            // without tax and shipping
	Gross         string `json:"gross"`          // what was paid
	NetIdentified string `json:"net_identified"` // the part of Net on events that carry an identifier of the person
}

// Person is one simulated shopper.
type Person struct {
	Index      int    `json:"index"`
	Region     string `json:"region"`
	Registered bool   `json:"registered"` // has an account at the end
	Household  int    `json:"household"`  // that shares a tablet, or -1
	Events     int    `json:"events"`     // each counted once, however often it was sent
	Identified int    `json:"identified"` // events that carry at least one identifier that is only this person's
	Web        Sales  `json:"web"`
	App        Sales  `json:"app"`
	Store      Sales  `json:"store"`
}

// Cart is a cart that holds something when the simulation ends.
type Cart struct {
	Person    int       `json:"person"`
	Namespace string    `json:"namespace"` // with Value: an identifier that the cart's events carry
	Value     string    `json:"value"`
	Last      time.Time `json:"last"` // when it last changed
	Units     int       `json:"units"`
	Amount    string    `json:"amount"`
	// Known tells that a reader of the records cannot take the cart for a closed one: the person bought nothing since it was
	// begun and has no other open cart under the same identifiers.
	Known bool `json:"known"`
}

// Counts are totals of the run.
type Counts struct {
	Records      map[string]int            `json:"records"` // by topic, with everything below
	Bytes        map[string]int            `json:"bytes"`
	Events       int                       `json:"events"`    // that must be accepted, each once
	ByType       map[string]int            `json:"by_type"`   // Events by canonical type
	ByFormat     map[string]int            `json:"by_format"` // Events by wire format and name, such as "segment/Product Viewed"
	Late         int                       `json:"late"`      // Events sent at least two minutes after they happened
	Duplicates   int                       `json:"duplicates"`
	Resent       int                       `json:"resent"` // records with Duplicates
	Malformed    map[string]map[string]int `json:"malformed"`
	Training     int                       `json:"training"` // receipts that must be dropped
	Framed       int                       `json:"framed"`
	CloudEvents  int                       `json:"cloud_events"`
	Placeholders int                       `json:"placeholders"` // Events with a placeholder
	Fillers      int                       `json:"fillers"`      // Events with a made-up value
	Shared       int                       `json:"shared"`       // Events on shared tablets
	Kiosk        int                       `json:"kiosk"`
	Bot          int                       `json:"bot"`
	Skewed       int                       `json:"skewed"` // sessions on devices with a wrong clock
	HumanOpens   int                       `json:"human_opens"`
	MachineOpens int                       `json:"machine_opens"`
	Web          Sales                     `json:"web"`
	App          Sales                     `json:"app"`
	Store        Sales                     `json:"store"`
}

// Truth is what a perfect reader of the records could be compared with.
type Truth struct {
	Seed        uint64       `json:"seed"`
	Start       time.Time    `json:"start"`
	End         time.Time    `json:"end"`
	Currency    string       `json:"currency"`
	Counts      Counts       `json:"counts"`
	Persons     []Person     `json:"-"`
	Identifiers []Identifier `json:"-"`
	Carts       []Cart       `json:"-"`

	events map[uint64]uint32
}

// EventTruth is whose an event is.
type EventTruth struct {
	Person     int  // index in Persons, or -1 for a crawler
	Identified bool // the event carries an identifier that is only this person's
}

// Event looks an event up by its id. That is the id which the format gives: messageId, sg_event_id, id of Mailgun, MessageId of SNS,
// ID of a Postmark bounce, and receipt, order, refund or sale id. Messages of providers without one have none that could be asked for.
// It finds nothing unless Config.EventTruth was set.
func (t *Truth) Event(id string) (EventTruth, bool) {
	entry, ok := t.events[hashString(id)]
	if !ok {
		return EventTruth{}, false
	}
	person := int(entry >> 1)
	if person == nobody {
		person = -1
	}
	return EventTruth{Person: person, Identified: entry&1 == 1}, true
}

// Abandoners lists, in order, the persons with a cart that nobody touched since idle before at, and that is known to be open.
func (t *Truth) Abandoners(at time.Time, idle time.Duration) []int {
	var persons []int
	for _, c := range t.Carts {
		if c.Known && !c.Last.After(at.Add(-idle)) && (len(persons) == 0 || persons[len(persons)-1] != c.Person) {
			persons = append(persons, c.Person)
		}
	}
	return persons
}

// Accuracy compares somebody's grouping of identifiers with the truth, by pairs of identifiers that are one person's alone.
type Accuracy struct {
	Pairs     int // that the grouping puts together
	Right     int // of these, of one person
	Knowable  int // pairs that records tie together
	Found     int // of these, put together
	Unknown   int // identifiers that the grouping does not have
	Precision float64
	Recall    float64 // of knowable pairs
}

// Judge asks group for the group of every identifier that is one person's alone and measures the answer.
func (t *Truth) Judge(group func(namespace, value string) (string, bool)) Accuracy {
	type cell struct {
		group string
		with  int
	}
	var a Accuracy
	groups, clusters := map[string]int{}, map[int]int{}
	persons, found := map[cell]int{}, map[cell]int{}
	for _, id := range t.Identifiers {
		if id.Owner != OwnerPerson {
			continue
		}
		// Each new member of a set makes as many pairs as the set had members.
		a.Knowable += clusters[id.Cluster]
		clusters[id.Cluster]++
		name, ok := group(id.Namespace, id.Value)
		if !ok {
			a.Unknown++
			continue
		}
		a.Pairs += groups[name]
		a.Right += persons[cell{name, id.Person}]
		a.Found += found[cell{name, id.Cluster}]
		groups[name]++
		persons[cell{name, id.Person}]++
		found[cell{name, id.Cluster}]++
	}
	a.Precision, a.Recall = ratio(a.Right, a.Pairs), ratio(a.Found, a.Knowable)
	return a
}

func ratio(part, whole int) float64 {
	if whole == 0 {
		return 1
	}
	return float64(part) / float64(whole)
}
