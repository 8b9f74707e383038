package kafka

import (
	"crypto/sha1"
	"strconv"
	"unsafe"

	"github.com/google/uuid"
	"github.com/segmentio/encoding/json"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seamline/seamline/schemas"
)

// idSpace is the UUID namespace of the ids of what is written. It is part of the contract with consumers: a replay gives the same ids.
var idSpace = uuid.MustParse("5ea3114e-0b1e-5d6a-9a53-4c6f6e6c696e")

// changeData is the data of an audience event.
type changeData struct {
	Audience  string `json:"audience"`
	ProfileID string `json:"profile_id"`
	Sequence  uint64 `json:"sequence"`
	Reason    string `json:"reason"`
}

// Values of headers that are the same in many records.
var (
	specVersion = []byte("1.0")
	contentType = []byte("application/json")
	entered     = []byte("io.seamline.audience_entered.v1")
	exited      = []byte("io.seamline.audience_exited.v1")
)

// changes makes the records of a batch's entries and exits, in memory that the next batch uses again: the client is done with a record when
// it was acknowledged or given up.
type changes struct {
	topic   string
	source  []byte
	records []kgo.Record
	headers []kgo.RecordHeader
	text    []byte
	data    changeData
}

// headersPerChange is how many headers a record has.
const headersPerChange = 7

// begin makes room for the changes of a batch. Records of the batch before must not be used any more.
func (c *changes) begin(n int) {
	if cap(c.records) < n {
		room := n + n/4
		c.records, c.headers = make([]kgo.Record, 0, room), make([]kgo.RecordHeader, 0, headersPerChange*room)
	}
	c.records, c.headers, c.text = c.records[:0], c.headers[:0], c.text[:0]
}

// add makes an entry or exit a CloudEvent in Kafka binary mode.
func (c *changes) add(change *schemas.AudienceChange) (*kgo.Record, error) {
	kind := exited
	if change.Enter {
		kind = entered
	}
	from := len(c.text)
	c.text = change.ProfileID.Append(c.text)
	profile := c.since(from)
	from = len(c.text)
	c.text = append(append(c.text, change.Audience...), '/')
	c.text = strconv.AppendUint(c.text, change.Sequence, 10)
	id := nameID(c.since(from))
	from = len(c.text)
	c.text = schemas.ProfileID(id).Append(c.text)
	unique := c.since(from)
	from = len(c.text)
	c.text = change.Time.Append(c.text)
	at := c.since(from)

	c.data = changeData{Audience: change.Audience, ProfileID: unsafe.String(unsafe.SliceData(profile), len(profile)), Sequence: change.Sequence, Reason: change.Reason}
	from = len(c.text)
	var err error
	if c.text, err = json.Append(c.text, &c.data, json.EscapeHTML|json.SortMapKeys); err != nil {
		return nil, err
	}
	first := len(c.headers)
	c.headers = append(c.headers, kgo.RecordHeader{Key: "ce_specversion", Value: specVersion}, kgo.RecordHeader{Key: "ce_id", Value: unique},
		kgo.RecordHeader{Key: "ce_source", Value: c.source}, kgo.RecordHeader{Key: "ce_type", Value: kind}, kgo.RecordHeader{Key: "ce_subject", Value: profile},
		kgo.RecordHeader{Key: "ce_time", Value: at}, kgo.RecordHeader{Key: "content-type", Value: contentType})
	c.records = append(c.records, kgo.Record{Topic: c.topic, Key: profile, Value: c.since(from), Headers: c.headers[first:len(c.headers):len(c.headers)]})
	return &c.records[len(c.records)-1], nil
}

// since gives what was appended to the text. It stays where it is when the text grows.
func (c *changes) since(from int) []byte { return c.text[from:len(c.text):len(c.text)] }

// nameID is the UUID of a name in the sink's namespace: version 5 of RFC 9562, as uuid.NewSHA1 gives it, but without its allocations.
func nameID(name []byte) (id [16]byte) {
	var text [128]byte // names of audiences are short
	sum := sha1.Sum(append(append(text[:0], idSpace[:]...), name...))
	copy(id[:], sum[:])
	id[6], id[8] = id[6]&0x0f|0x50, id[8]&0x3f|0x80
	return id
}
