package shoppers

// brevoZone is the account's time zone, in which all of Brevo's times but ts_epoch are.
const brevoZone = 2 * 3_600_000 // milliseconds

// writeBrevo writes the webhook of Brevo, which has no event id: its id is the account's.
func writeBrevo(w *writer, e *mailEvent, id []byte) []byte {
	name := [mailSteps]string{
		stepSent: "request", stepDeferred: "deferred", stepDelivered: "delivered", stepBounced: "hard_bounce",
		stepMachineOpen: "proxy_open", stepOpen: "opened", stepClick: "click", stepUnsubscribed: "unsubscribe", stepComplained: "spam",
	}[e.step]
	w.raw(`{"event":"`)
	if e.first && (e.step == stepOpen || e.step == stepMachineOpen) {
		w.raw(`unique_`)
	}
	w.raw(name)
	w.raw(`","email":"`)
	e.address(w)
	w.raw(`","id":1042371,"date":"`)
	w.b = appendClock(w.b, e.at+brevoZone, ' ')
	w.raw(`","ts":`)
	w.int((e.at + brevoZone) / 1000)
	w.raw(`,"ts_event":`)
	w.int((e.at + brevoZone) / 1000)
	w.raw(`,"ts_epoch":`)
	w.int(e.at)
	w.raw(`,"message-id":"<`)
	w.token(e.mail.id, 20)
	w.raw(`@smtp-relay.example.com>","subject":`)
	w.str(e.subject())
	w.raw(`,"tag":"[\"newsletter\"]","tags":["newsletter"],"template_id":12,"sending_ip":"192.0.2.25","X-Mailin-custom":"{\"campaign_id\":\"`)
	w.int(e.campaign)
	w.raw(`\"}"`)
	switch e.step {
	case stepBounced:
		w.raw(`,"reason":"550 5.1.1 user unknown"`)
	case stepDeferred:
		w.raw(`,"reason":"421 try again later"`)
	case stepClick:
		w.raw(`,"link":"`)
		e.link(w)
		w.raw(`"`)
	}
	w.raw(`}`)
	return e.appendComposed(id)
}
