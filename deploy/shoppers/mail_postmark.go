package shoppers

// postmarkTime writes a time with the seven decimals and the offset that Postmark uses.
func postmarkTime(w *writer, name string, ms int64) {
	w.raw(`,"`)
	w.raw(name)
	w.raw(`":"`)
	w.b = appendClock(w.b, ms-4*3_600_000, 'T')
	w.raw(`.`)
	w.padded(ms%1000, 3)
	w.raw(`3933-04:00"`)
}

// writePostmark writes the webhook of Postmark. It has no event id but on bounces and complaints.
func writePostmark(w *writer, e *mailEvent, id []byte) []byte {
	w.raw(`{"RecordType":"`)
	w.raw(map[mailStep]string{
		stepDelivered: "Delivery", stepBounced: "Bounce", stepMachineOpen: "Open", stepOpen: "Open", stepClick: "Click",
		stepUnsubscribed: "SubscriptionChange", stepComplained: "SpamComplaint",
	}[e.step])
	w.raw(`","ServerID":23,"MessageStream":"broadcast","MessageID":"`)
	w.uuid(e.mail.id)
	w.raw(`","Tag":"newsletter","Metadata":{"campaign_id":"`)
	w.int(e.campaign)
	w.raw(`","campaign_name":"`)
	w.raw(e.campaignName())
	w.raw(`"}`)
	id = e.appendComposed(id)
	switch e.step {
	case stepBounced, stepComplained:
		id = appendPadded(id[:0], int64(e.id%1e9)+1e9, 10)
		w.raw(`,"ID":`)
		w.b = append(w.b, id...)
		w.raw(`,"Email":"`)
	default:
		w.raw(`,"Recipient":"`)
	}
	e.address(w)
	w.raw(`"`)
	e.postmarkStep(w)
	w.raw(`}`)
	return id
}

// postmarkStep writes what only this record type has.
func (e *mailEvent) postmarkStep(w *writer) {
	switch e.step {
	case stepDelivered:
		postmarkTime(w, "DeliveredAt", e.at)
		w.raw(`,"Details":"250 OK"`)
	case stepBounced:
		postmarkTime(w, "BouncedAt", e.at)
		w.raw(`,"Type":"HardBounce","TypeCode":1,"Name":"Hard bounce","Description":"The server was unable to deliver your message","Details":"smtp;550 5.1.1 user unknown","From":"news@example.com","DumpAvailable":true,"Inactive":true,"CanActivate":true,"Subject":`)
		w.str(e.subject())
	case stepComplained:
		postmarkTime(w, "BouncedAt", e.at)
		w.raw(`,"Type":"SpamComplaint","TypeCode":512,"Name":"Spam complaint","Description":"","Details":"","From":"news@example.com","DumpAvailable":true,"Inactive":true,"CanActivate":false,"Subject":`)
		w.str(e.subject())
	case stepUnsubscribed:
		postmarkTime(w, "ChangedAt", e.at)
		w.raw(`,"Origin":"Recipient","SuppressSending":true,"SuppressionReason":"ManualSuppression"`)
	default:
		postmarkTime(w, "ReceivedAt", e.at)
		w.raw(`,"UserAgent":"`)
		w.raw(e.agent())
		w.raw(`","Platform":"Desktop","Client":{"Name":"Chrome","Company":"Google","Family":"Chrome"},"OS":{"Name":"unknown","Company":"unknown","Family":"unknown"},"Geo":{"CountryISOCode":"`)
		w.raw(regions[e.p.region].code)
		w.raw(`","IP":"`)
		e.ip(w)
		w.raw(`"}`)
		if e.step == stepClick {
			w.raw(`,"ClickLocation":"HTML","OriginalLink":"`)
			e.link(w)
			w.raw(`"`)
			return
		}
		w.raw(`,"FirstOpen":`)
		w.bool(e.first)
		w.raw(`,"ReadSeconds":`)
		if e.step == stepOpen {
			w.int(int64(1 + e.id%19))
		} else {
			w.raw(`0`)
		}
	}
}
