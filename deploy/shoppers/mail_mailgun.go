package shoppers

// writeMailgun writes the webhook of Mailgun and returns its event id.
func writeMailgun(w *writer, e *mailEvent, id []byte) []byte {
	id = appendToken(id, e.id, 22)
	w.raw(`{"signature":{"timestamp":"`)
	w.int(e.at / 1000)
	w.raw(`","token":"`)
	w.token(e.id+1, 50)
	w.raw(`","signature":"`)
	w.b = appendHex(appendHex(w.b, mix(e.id, 5), 16), mix(e.id, 6), 16)
	w.raw(`"},"event-data":{"id":"`)
	w.b = append(w.b, id...)
	w.raw(`","timestamp":`)
	w.int(e.at / 1000)
	w.raw(`.`)
	w.padded(e.at%1000*1000+int64(e.id%1000), 6)
	w.raw(`,"log-level":"info"`)
	e.mailgunStep(w)
	w.raw(`,"recipient":"`)
	e.address(w)
	w.raw(`","recipient-domain":"example.com","tags":["newsletter"],"campaigns":[],"user-variables":{"campaign_id":"`)
	w.int(e.campaign)
	w.raw(`","campaign_name":"`)
	w.raw(e.campaignName())
	w.raw(`"},"flags":{"is-routed":false,"is-authenticated":true,"is-system-test":false,"is-test-mode":false},"message":{"headers":{"to":"`)
	e.address(w)
	w.raw(`","message-id":"`)
	w.token(e.mail.id, 16)
	w.raw(`.1@mg.example.com","from":"Shop <news@example.com>","subject":`)
	w.str(e.subject())
	w.raw(`},"attachments":[],"size":8090}}}`)
	return id
}

// mailgunStep writes what only this event has.
func (e *mailEvent) mailgunStep(w *writer) {
	switch e.step {
	case stepSent:
		w.raw(`,"event":"accepted","method":"HTTP"`)
	case stepDeferred:
		w.raw(`,"event":"failed","severity":"temporary","reason":"generic","delivery-status":{"code":421,"message":"try again later","attempt-no":1,"retry-seconds":600}`)
	case stepDelivered:
		w.raw(`,"event":"delivered","delivery-status":{"code":250,"message":"OK","attempt-no":1,"tls":true,"session-seconds":0.43}`)
	case stepBounced:
		w.raw(`,"event":"failed","severity":"permanent","reason":"bounce","delivery-status":{"code":550,"message":"5.1.1 user unknown","attempt-no":1}`)
	case stepMachineOpen, stepOpen:
		w.raw(`,"event":"opened"`)
	case stepClick:
		w.raw(`,"event":"clicked","url":"`)
		e.link(w)
		w.raw(`"`)
	case stepUnsubscribed:
		w.raw(`,"event":"unsubscribed"`)
	case stepComplained:
		w.raw(`,"event":"complained"`)
	}
	if e.step < stepMachineOpen || e.step == stepComplained {
		return
	}
	w.raw(`,"ip":"`)
	e.ip(w)
	w.raw(`","geolocation":{"country":"`)
	w.raw(regions[e.p.region].code)
	w.raw(`","region":"Unknown","city":"Unknown"},"client-info":{"client-type":"browser","client-os":"Windows","device-type":"desktop","client-name":"Chrome","user-agent":"`)
	w.raw(e.agent())
	w.raw(`","bot":"`)
	if e.step == stepMachineOpen {
		w.raw([3]string{"apple", "gmail", "generic"}[e.id%3])
	}
	w.raw(`"}`)
}
