package shoppers

// writeSegmentMail writes an event of Segment's e-mail spec and returns its messageId.
func writeSegmentMail(w *writer, e *mailEvent, id []byte) []byte {
	id = appendUUID(id, e.id)
	w.raw(`{"type":"track","event":"`)
	w.raw([mailSteps]string{
		stepDelivered: "Email Delivered", stepBounced: "Email Bounced", stepOpen: "Email Opened", stepClick: "Email Link Clicked",
		stepUnsubscribed: "Unsubscribed", stepComplained: "Email Marked as Spam",
	}[e.step])
	w.raw(`","messageId":"`)
	w.b = append(w.b, id...)
	w.raw(`","userId":"`)
	w.b = e.p.append(w.b, slotUser)
	w.raw(`","context":{"integration":{"name":"Mail Service","version":"1.0.0"},"library":{"name":"unknown","version":"unknown"},"traits":{"email":"`)
	e.address(w)
	w.raw(`"}`)
	if e.step == stepOpen || e.step == stepClick {
		w.raw(`,"ip":"`)
		e.ip(w)
		w.raw(`","userAgent":"`)
		w.raw(e.agent())
		w.raw(`"`)
	}
	w.raw(`},"properties":{"email_id":"`)
	w.uuid(e.mail.id)
	w.raw(`","email_subject":`)
	w.str(e.subject())
	w.raw(`,"campaign_id":"`)
	w.int(e.campaign)
	w.raw(`","campaign_name":"`)
	w.raw(e.campaignName())
	w.raw(`"`)
	switch e.step {
	case stepClick:
		w.raw(`,"link_id":"hero","link_url":"`)
		e.link(w)
		w.raw(`"`)
	case stepUnsubscribed:
		w.raw(`,"list_id":"newsletter","list_name":"Newsletter"`)
	}
	w.raw(`},"integrations":{},"timestamp":`)
	w.iso(e.at)
	w.raw(`,"originalTimestamp":`)
	w.iso(e.at)
	w.raw(`,"sentAt":`)
	w.iso(e.at + 20)
	w.raw(`,"receivedAt":`)
	w.iso(e.at + 20)
	w.raw(`}`)
	return id
}
