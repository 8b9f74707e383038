package score

import "github.com/seamline/seamline/schemas"

// consents notes what the person said to each purpose. The latest word counts, by the time at which it was said; of two at the same time the
// more careful one, so that the order of arrival does not matter. An unsubscription takes the consent to messages on its channel back.
// It tells which fields may have changed.
func (s *Stage) consents(l *leaf, e *schemas.Event) (changed schemas.Fields) {
	for _, c := range e.Consents {
		s.say(l, cellKey(kindConsent, uint32(c.Purpose)), e.Time, uint32(c.State), uint32(c.State))
	}
	if len(e.Consents) > 0 {
		s.changeTastes(l, e.Leaf)
		changed = schemas.FieldsConsent
	}
	if e.Type == schemas.TypeMessageUnsubscribe || e.Type == schemas.TypeMessageComplaint {
		if purpose, ok := messagePurpose(e.Channel); ok {
			s.say(l, cellKey(kindConsent, uint32(purpose)), e.Time, uint32(schemas.ConsentDenied), uint32(schemas.ConsentDenied))
			s.changeTastes(l, e.Leaf)
			changed = schemas.FieldsConsent
		}
	}
	return changed
}

// foldConsent fills in what the person said in any of the leaves that were folded.
func (s *Stage) foldConsent(p *schemas.Profile) {
	var latest [schemas.PurposeCount]cell
	for _, i := range s.fold.leaves {
		for at := s.leaves.At(i).cells; at != 0; {
			b := s.blocks.At(at)
			for j, key := range &b.keys {
				if kind(key>>kindBits) != kindConsent {
					continue
				}
				said := &s.cellGroups.At(b.groups[j/groupCells])[j%groupCells]
				if c := &latest[key&(1<<kindBits-1)]; c.isOlder(said) {
					*c = *said
				}
			}
			at = b.next
		}
	}
	for purpose := range latest {
		at, value := latest[purpose].answer()
		p.Consent[purpose], p.ConsentAt = schemas.ConsentState(value), max(p.ConsentAt, at)
	}
}

// messagePurpose is what consent to messages on a channel is called.
func messagePurpose(c schemas.Channel) (schemas.Purpose, bool) {
	switch c {
	case schemas.ChannelEmail:
		return schemas.PurposeEmailMarketing, true
	case schemas.ChannelSMS:
		return schemas.PurposeSMSMarketing, true
	case schemas.ChannelPush:
		return schemas.PurposePushMarketing, true
	case schemas.ChannelWhatsApp:
		return schemas.PurposeWhatsAppMarketing, true
	}
	return 0, false
}

// answer notes what the person answered to a survey: the latest answer to each counts.
func (s *Stage) answer(l *leaf, e *schemas.Event) {
	if e.Answer.Kind == schemas.SurveyNone {
		return
	}
	survey := s.words.of(e.Answer.Survey)
	value := uint32(e.Answer.Kind)<<8 | uint32(uint8(e.Answer.Score))
	s.say(l, cellKey(kindAnswer, survey), e.Time, uint32(hash(e.Source, e.ID)), value)
	s.changeTastes(l, e.Leaf)
}
