package schemas

// Feed is the logical name of an input topic; the topic's real name is a setting.
type Feed string

// The input feeds of contract.md section 1.
const (
	FeedClickstream Feed = "clickstream"
	FeedEmail       Feed = "email"
	FeedPOS         Feed = "pos"
	FeedCatalog     Feed = "catalog"
	FeedConsent     Feed = "consent"
	FeedSurvey      Feed = "survey"
	FeedIdentity    Feed = "identity" // commands of operators
)

// Header is one Kafka record header.
type Header struct {
	Key   string
	Value []byte
}

// Record is one Kafka record as it was gathered. Key, Value and Headers are never changed after the gathering, so that events
// may alias their bytes for as long as the batch lives.
type Record struct {
	Topic     string
	Feed      Feed
	Partition int32
	Offset    int64
	Time      Time // the broker's or producer's record timestamp
	Key       []byte
	Value     []byte
	Headers   []Header
}

// Range is the half-open interval [From, To) of offsets of one partition.
type Range struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	From      int64  `json:"from"`
	To        int64  `json:"to"`
}

// Reason says why a record was refused. The list is short and fixed, since each is a metric label.
type Reason string

// The reasons of a dead letter.
const (
	ReasonMalformed         Reason = "malformed"          // not JSON or XML, or a field of the wrong kind
	ReasonUnknownFormat     Reason = "unknown_format"     // readable, but no known producer's shape
	ReasonUnknownEvent      Reason = "unknown_event"      // a known producer's shape with an event name that it does not define
	ReasonMissingIdentifier Reason = "missing_identifier" // nobody to attach the event to
	ReasonMissingField      Reason = "missing_field"      // a field without which the event means nothing
	ReasonImpossibleTime    Reason = "impossible_time"    // no time, or one outside the accepted span
	ReasonOversize          Reason = "oversize"           // larger than decode.bytes-max
	ReasonCardNumber        Reason = "card_number"        // an unmasked card number; digits are masked before anything is stored
)

// Reasons lists every Reason, so that metrics exist at zero from the start.
func Reasons() []Reason {
	return []Reason{ReasonMalformed, ReasonUnknownFormat, ReasonUnknownEvent, ReasonMissingIdentifier, ReasonMissingField,
		ReasonImpossibleTime, ReasonOversize, ReasonCardNumber}
}

// Reject is one refused record, or one refused element of a record that holds several.
type Reject struct {
	Record  *Record
	Element int // position within a batch or array; 0 where the record holds one
	Reason  Reason
	Detail  string // names fields and limits, never a person's data
	Value   []byte // the record's original bytes; only card numbers are masked in it
}

// Drop is why a readable record yields no event on purpose. Drops are counted, not kept.
type Drop string

// The kinds of drop.
const (
	DropTraining  Drop = "training"  // a till in training mode
	DropTest      Drop = "test"      // a provider's test payload, or an order in test mode
	DropNoEvent   Drop = "no_event"  // a notice that is no customer event: SNS handshakes, open (unpaid) orders, saved sales
	DropDuplicate Drop = "duplicate" // the producer's event id was seen within the window
)

// Drops lists every Drop, so that metrics exist at zero from the start.
func Drops() []Drop { return []Drop{DropTraining, DropTest, DropNoEvent, DropDuplicate} }
