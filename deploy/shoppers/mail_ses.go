package shoppers

// writeSNS writes the notification of Amazon SES as SNS delivers it, and returns the id that SNS gives it.
func (g *Generator) writeSNS(e *mailEvent, id []byte) []byte {
	var inner writer
	inner.b = make([]byte, 0, 2048)
	writeSES(&inner, e, nil)
	w := &g.w
	id = appendUUID(id, e.id)
	w.raw(`{"Type":"Notification","MessageId":"`)
	w.b = append(w.b, id...)
	w.raw(`","TopicArn":"arn:aws:sns:us-east-1:123456789012:ses-events","Subject":"Amazon SES Email Event Notification","Message":"`)
	w.escaped(string(inner.b))
	w.raw(`\n","Timestamp":`)
	w.iso(e.at + 700)
	w.raw(`,"SignatureVersion":"1","Signature":"`)
	w.token(e.id+1, 86)
	w.raw(`==","SigningCertURL":"https://sns.us-east-1.amazonaws.com/SimpleNotificationService-example.pem","UnsubscribeURL":"https://sns.us-east-1.amazonaws.com/?Action=Unsubscribe"}`)
	return id
}

// writeSES writes the event of Amazon SES itself, which has no event id.
func writeSES(w *writer, e *mailEvent, id []byte) []byte {
	w.raw(`{"eventType":"`)
	w.raw([mailSteps]string{
		stepSent: "Send", stepDeferred: "DeliveryDelay", stepDelivered: "Delivery", stepBounced: "Bounce", stepMachineOpen: "Open",
		stepOpen: "Open", stepClick: "Click", stepUnsubscribed: "Subscription", stepComplained: "Complaint",
	}[e.step])
	w.raw(`","mail":{"timestamp":`)
	w.iso(e.sent)
	w.raw(`,"source":"Shop <news@example.com>","sourceArn":"arn:aws:ses:us-east-1:123456789012:identity/example.com","sendingAccountId":"123456789012","messageId":"`)
	w.b = appendHex(w.b, e.mail.id, 16)
	w.raw(`-`)
	w.uuid(e.mail.id)
	w.raw(`-000000","destination":["`)
	e.address(w)
	w.raw(`"],"headersTruncated":false,"headers":[{"name":"From","value":"Shop <news@example.com>"},{"name":"Subject","value":`)
	w.str(e.subject())
	w.raw(`}],"commonHeaders":{"from":["Shop <news@example.com>"],"to":["`)
	e.address(w)
	w.raw(`"],"subject":`)
	w.str(e.subject())
	w.raw(`},"tags":{"ses:configuration-set":["newsletter"],"campaign_id":["`)
	w.int(e.campaign)
	w.raw(`"],"campaign_name":["`)
	w.raw(e.campaignName())
	w.raw(`"]}},`)
	e.sesStep(w)
	w.raw(`}`)
	return e.appendComposed(id)
}

// sesStep writes the object that is named after the event.
func (e *mailEvent) sesStep(w *writer) {
	recipients := func(before, after string) {
		w.raw(before)
		e.address(w)
		w.raw(after)
		w.iso(e.at)
	}
	switch e.step {
	case stepSent:
		w.raw(`"send":{}`)
		return
	case stepDeferred:
		recipients(`"deliveryDelay":{"delayType":"TransientCommunicationFailure","delayedRecipients":[{"emailAddress":"`, `","status":"4.4.1","diagnosticCode":"smtp; 421 try again later"}],"timestamp":`)
	case stepDelivered:
		recipients(`"delivery":{"recipients":["`, `"],"processingTimeMillis":546,"smtpResponse":"250 ok","reportingMTA":"a8-70.smtp-out.example.com","timestamp":`)
	case stepBounced:
		recipients(`"bounce":{"bounceType":"Permanent","bounceSubType":"General","bouncedRecipients":[{"emailAddress":"`, `","action":"failed","status":"5.1.1","diagnosticCode":"smtp; 550 5.1.1 user unknown"}],"timestamp":`)
		w.raw(`,"feedbackId":"`)
		w.uuid(e.id + 2)
		w.raw(`","reportingMTA":"dns; example.com"`)
	case stepComplained:
		recipients(`"complaint":{"complaintFeedbackType":"abuse","complainedRecipients":[{"emailAddress":"`, `"}],"timestamp":`)
		w.raw(`,"feedbackId":"`)
		w.uuid(e.id + 2)
		w.raw(`"`)
	case stepUnsubscribed:
		w.raw(`"subscription":{"contactList":"newsletter","source":"UnsubscribeHeader","newTopicPreferences":{"unsubscribeAll":true,"topicSubscriptionStatus":[]},"oldTopicPreferences":{"unsubscribeAll":false,"topicSubscriptionStatus":[]},"timestamp":`)
		w.iso(e.at)
	default:
		w.raw(`"open":{"ipAddress":"`)
		if e.step == stepClick {
			w.b = w.b[:len(w.b)-len(`"open":{"ipAddress":"`)]
			w.raw(`"click":{"link":"`)
			e.link(w)
			w.raw(`","linkTags":{"position":["hero"]},"ipAddress":"`)
		}
		e.ip(w)
		w.raw(`","userAgent":"`)
		w.raw(e.agent())
		w.raw(`","timestamp":`)
		w.iso(e.at)
	}
	w.raw(`}`)
}
