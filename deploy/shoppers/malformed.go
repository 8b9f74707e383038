package shoppers

import "time"

// The reasons for which the records of MalformedShare must be refused.
const (
	ReasonMalformed         = "malformed"
	ReasonUnknownFormat     = "unknown_format"
	ReasonUnknownEvent      = "unknown_event"
	ReasonMissingIdentifier = "missing_identifier"
	ReasonImpossibleTime    = "impossible_time"
	ReasonOversize          = "oversize"
	ReasonCardNumber        = "card_number"
)

// flaw is one way to be wrong. %i stands for a new id, %t for the time.
type flaw struct{ topic, reason, text string }

// The numbers below are the ones that card schemes publish for tests.
var flaws = [...]flaw{
	{TopicClickstream, ReasonMalformed, `{"type":"track","event":"Product Viewed","messageId":"%i","anonymousId":"broken-1","properties":{"sku":"SKU-10`},
	{TopicClickstream, ReasonMalformed, "\x02\x00not json at all"},
	{TopicClickstream, ReasonMissingIdentifier, `{"type":"track","event":"Product Viewed","messageId":"%i","timestamp":"%t","properties":{"sku":"SKU-1001"}}`},
	{TopicClickstream, ReasonImpossibleTime, `{"type":"page","messageId":"%i","anonymousId":"broken-2","timestamp":"1970-01-01T00:00:00.000Z","properties":{"path":"/"}}`},
	{TopicClickstream, ReasonImpossibleTime, `{"type":"page","messageId":"%i","anonymousId":"broken-3","timestamp":"2120-01-01T00:00:00.000Z","properties":{"path":"/"}}`},
	{TopicClickstream, ReasonCardNumber, `{"type":"track","event":"Note Taken","messageId":"%i","anonymousId":"broken-4","timestamp":"%t","properties":{"note":"my card is 4111 1111 1111 1111"}}`},
	{TopicClickstream, ReasonUnknownFormat, `{"hello":"world","id":"%i"}`},
	{TopicClickstream, ReasonOversize, `{"type":"track","event":"Dump","messageId":"%i","anonymousId":"broken-5","timestamp":"%t","properties":{"dump":"%x"}}`},
	{TopicEmail, ReasonMalformed, `[{"email":"broken@example.com","event":"open",]`},
	{TopicEmail, ReasonUnknownEvent, `[{"email":"broken@example.com","timestamp":%s,"sg_event_id":"%i","sg_message_id":"broken","event":"teleported"}]`},
	{TopicEmail, ReasonUnknownFormat, `{"status":"ok","id":"%i"}`},
	{TopicPOS, ReasonMalformed, `{"receipt_id":"%i","lines":[}`},
	{TopicPOS, ReasonUnknownFormat, `{"greeting":"good morning","id":"%i"}`},
	{TopicPOS, ReasonImpossibleTime, `{"receipt_id":"%i","store_id":"store-01","register_id":"1","time":"2120-01-01T00:00:00Z","type":"sale","currency":"USD","training":false,"customer":null,"lines":[{"line_id":"1","sku":"SKU-1001","quantity":1,"unit_price":"1.00","total":"1.00"}],"tenders":[{"type":"cash","amount":"1.00"}],"subtotal":"1.00","tax":"0.00","total":"1.00"}`},
	{TopicPOS, ReasonCardNumber, `{"receipt_id":"%i","store_id":"store-01","register_id":"1","time":"%t","type":"sale","currency":"USD","training":false,"customer":null,"lines":[{"line_id":"1","sku":"SKU-1001","name":"paid with 5555555555554444","quantity":1,"unit_price":"1.00","total":"1.00"}],"tenders":[{"type":"card","amount":"1.00"}],"subtotal":"1.00","tax":"0.00","total":"1.00"}`},
	{TopicPOS, ReasonOversize, `{"receipt_id":"%i","store_id":"store-01","time":"%t","type":"sale","currency":"USD","note":"%x"}`},
}

// spoil queues one more record, which must be refused for a known reason.
func (g *Generator) spoil(at int64, r *rng) {
	f := &flaws[r.below(len(flaws))]
	value := g.fill(f.text, r.next(), at)
	g.enqueue(Record{Topic: f.topic, Key: []byte("broken"), Value: value, Time: time.UnixMilli(at).UTC()}, at)
	byReason := g.book.malformed[f.topic]
	if byReason == nil {
		byReason = map[string]uint64{}
		g.book.malformed[f.topic] = byReason
	}
	byReason[f.reason]++
}

// fill puts values into a flaw's text.
func (g *Generator) fill(text string, seed uint64, at int64) []byte {
	var w writer
	for i := 0; i < len(text); i++ {
		if text[i] != '%' {
			w.b = append(w.b, text[i])
			continue
		}
		i++
		switch text[i] {
		case 'i':
			w.uuid(seed)
		case 't':
			w.b = appendISO(w.b, at)
		case 's':
			w.int(at / 1000)
		case 'x':
			for len(w.b) < g.cfg.OversizeBytes {
				w.raw("lorem ipsum ")
			}
		}
	}
	return w.b
}
