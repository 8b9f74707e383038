package shoppers

// collector gathers SendGrid events, which come in arrays about several messages.
type collector struct {
	w writer
	n int
}

const (
	collectMax   = 8
	collectDelay = 10_000 // milliseconds
)

// writeSendGrid adds the event to the collector and returns its id.
func (g *Generator) writeSendGrid(e *mailEvent, id []byte) []byte {
	c := &g.sendGrid
	w := &c.w
	if c.n == 0 {
		w.b = append(w.b[:0], '[')
		g.add(task{at: e.at + collectDelay, who: -1, kind: taskFlush})
	} else {
		w.raw(`,`)
	}
	c.n++
	id = appendToken(id, e.id, 22)
	w.raw(`{"email":"`)
	e.address(w)
	w.raw(`","timestamp":`)
	w.int(e.at / 1000)
	w.raw(`,"smtp-id":"<`)
	w.token(e.mail.id, 22)
	w.raw(`@geopod-ismtpd-5.example.com>","sg_event_id":"`)
	w.b = append(w.b, id...)
	w.raw(`","sg_message_id":"`)
	w.token(e.mail.id, 22)
	w.raw(`.recvd-5c7fd8c9d4-x2k8p-1-66A0D1B2-1D.0","category":["newsletter"],"marketing_campaign_id":"`)
	w.int(e.campaign)
	w.raw(`","marketing_campaign_name":"`)
	w.raw(e.campaignName())
	w.raw(`","customer_tier":"standard"`)
	switch e.step {
	case stepSent:
		w.raw(`,"event":"processed"`)
	case stepDeferred:
		w.raw(`,"event":"deferred","response":"421 try again later","attempt":"1"`)
	case stepDelivered:
		w.raw(`,"event":"delivered","response":"250 OK"`)
	case stepBounced:
		w.raw(`,"event":"bounce","type":"bounce","status":"5.1.1","reason":"550 5.1.1 user unknown"`)
	case stepMachineOpen, stepOpen:
		w.raw(`,"event":"open","sg_content_type":"html","sg_machine_open":`)
		w.bool(e.step == stepMachineOpen)
	case stepClick:
		w.raw(`,"event":"click","url_offset":{"index":0,"type":"html"},"url":"`)
		e.link(w)
		w.raw(`"`)
	case stepUnsubscribed:
		w.raw(`,"event":"unsubscribe"`)
	case stepComplained:
		w.raw(`,"event":"spamreport"`)
	}
	if e.step >= stepMachineOpen {
		w.raw(`,"ip":"`)
		e.ip(w)
		w.raw(`","useragent":"`)
		w.raw(e.agent())
		w.raw(`"`)
	}
	w.raw(`}`)
	if c.n >= collectMax {
		g.flushSendGrid(e.at)
	}
	return id
}

// flushSendGrid sends what the collector holds.
func (g *Generator) flushSendGrid(at int64) {
	c := &g.sendGrid
	if c.n == 0 {
		return
	}
	n := c.n
	c.n = 0
	g.w.b = append(append(g.w.b[:0], c.w.b...), ']')
	r := rng{mix(g.cfg.Seed, uint64(at))}
	g.post(parcel{topic: TopicEmail, key: []byte("sendgrid"), at: at + r.between(200, 2000), events: n}, &r)
}
