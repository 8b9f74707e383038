package shoppers

import "slices"

// provider is a sender of messages that reports by webhook.
type provider uint8

const (
	providerSendGrid provider = iota
	providerMailgun
	providerPostmark
	providerSNS // Amazon SES through SNS
	providerSES // Amazon SES, unwrapped by a gateway
	providerBrevo
	providerSegment // the events of Segment's e-mail spec
	providers
)

func (p provider) name() string {
	return [providers]string{"sendgrid", "mailgun", "postmark", "ses-sns", "ses", "brevo", "segment-email"}[p]
}

// mailStep is one thing that happens to a message.
type mailStep uint8

const (
	stepSent mailStep = iota
	stepDeferred
	stepDelivered
	stepBounced
	stepMachineOpen
	stepOpen
	stepClick
	stepUnsubscribed
	stepComplained
	mailSteps
)

// mailStepNames are our word and our canonical type for each step.
var mailStepNames = [mailSteps][2]string{
	{"sent", "message_sent"}, {"deferred", "message_deferred"}, {"delivered", "message_delivered"}, {"bounced", "message_bounce"},
	{"machine open", "message_open"}, {"open", "message_open"}, {"click", "message_click"},
	{"unsubscribed", "message_unsubscribe"}, {"complained", "message_complaint"},
}

// reports tells whether the provider has an event for the step.
func (p provider) reports(step mailStep) bool {
	switch p {
	case providerPostmark:
		return step != stepSent && step != stepDeferred
	case providerSegment:
		return step != stepSent && step != stepDeferred && step != stepMachineOpen
	}
	return true
}

const mailStepsMax = 8

// mail is a message on its way.
type mail struct {
	id       uint64
	sent     int64
	campaign int64
	provider provider
	account  bool // Segment: carries the user id
	opens    uint8
	next, n  uint8
	steps    [mailStepsMax]struct {
		at   int64
		step mailStep
	}
}

// plan adds a step that happens no earlier than the last one, in a second of its own.
func (m *mail) plan(step mailStep, at int64) int64 {
	if m.n > 0 {
		at = max(at, m.steps[m.n-1].at+1100)
	}
	m.steps[m.n].step, m.steps[m.n].at = step, at
	m.n++
	return at
}

const (
	openChance        = 0.25
	reopenChance      = 0.3
	clickChance       = 0.3
	unsubscribeChance = 0.015
	complaintChance   = 0.012
	deferralChance    = 0.02
	bounceChance      = 0.004
	campaignEvery     = 2 * 86_400_000 // milliseconds
)

// runMail sends a campaign's message to the person, if the retailer knows an address.
func (g *Generator) runMail(p *person, s *shopper, at int64, r rng) {
	if !s.known || s.optedOut {
		return
	}
	m := mail{id: r.next(), sent: at, campaign: at / campaignEvery, provider: provider(r.below(int(providers)))}
	if m.provider == providerSegment && !s.signedUp {
		m.provider = providerPostmark // a Segment call needs a user
	}
	m.account = m.provider == providerSegment
	g.planMail(&m, p, &r)
	m.keepReported()
	if m.n == 0 {
		return
	}
	g.add(task{at: m.steps[0].at, who: int32(p.index), kind: taskMailStep, ref: g.mails.put(m)})
}

// planMail decides what will happen to the message.
func (g *Generator) planMail(m *mail, p *person, r *rng) {
	at := m.plan(stepSent, m.sent)
	if p.dead || r.chance(bounceChance) {
		m.plan(stepBounced, at+r.between(1000, 30_000))
		return
	}
	if r.chance(deferralChance) {
		at = m.plan(stepDeferred, at+r.between(2000, 20_000))
		at += r.between(300_000, 1_200_000)
	}
	at = m.plan(stepDelivered, at+r.between(1000, 20_000))
	if r.chance(g.machineChance(m.provider)) {
		m.plan(stepMachineOpen, at+r.between(1000, 60_000))
	}
	if !r.chance(openChance) {
		return
	}
	at = m.plan(stepOpen, at+r.between(20_000, 120_000)+int64(r.exponential(4*3_600_000)))
	if r.chance(clickChance) {
		at = m.plan(stepClick, at+r.between(3000, 60_000))
	}
	switch {
	case r.chance(reopenChance):
		m.plan(stepOpen, at+r.between(60_000, 120_000)+int64(r.exponential(6*3_600_000)))
	case r.chance(unsubscribeChance):
		m.plan(stepUnsubscribed, at+r.between(10_000, 60_000))
	case r.chance(complaintChance):
		m.plan(stepComplained, at+r.between(10_000, 60_000))
	}
}

// machineChance is how often a proxy opens a message, so that its opens have the wanted share among all opens.
func (g *Generator) machineChance(p provider) float64 {
	if !p.reports(stepMachineOpen) {
		return 0
	}
	const human = openChance * (1 + reopenChance)
	const reporting = float64(providers-1) / float64(providers)
	share := g.cfg.MachineOpenShare
	return min(1, human*share/(1-share)/reporting)
}

// keepReported drops the steps for which the provider has no event.
func (m *mail) keepReported() {
	kept := slices.DeleteFunc(m.steps[:m.n], func(s struct {
		at   int64
		step mailStep
	}) bool {
		return !m.provider.reports(s.step)
	})
	m.n = uint8(len(kept))
}

// runMailStep reports what has happened to a message, and lets the person do what follows.
func (g *Generator) runMailStep(p *person, s *shopper, t task, r rng) {
	m := g.mails.take(t.ref)
	step := m.steps[m.next].step
	e := mailEvent{mail: &m, p: p, step: step, at: t.at, id: mix(m.id, 10+uint64(m.next)), first: m.opens == 0}
	if step == stepOpen || step == stepMachineOpen {
		m.opens++
	}
	switch step {
	case stepOpen:
		g.book.humanOpens++
	case stepMachineOpen:
		g.book.machine++
	case stepUnsubscribed, stepComplained:
		s.optedOut = true
	case stepBounced:
		s.optedOut = true
	}
	g.reportMail(&e, &r)
	m.next++
	if m.next < m.n {
		g.add(task{at: m.steps[m.next].at, who: t.who, kind: taskMailStep, ref: g.mails.put(m)})
	}
	if step == stepClick {
		landing := touch{source: "newsletter", medium: "email", name: m.campaignName(), content: "hero"}
		g.runSession(visitPlan{p: p, s: s, at: max(t.at+r.between(800, 4000), s.busy+breather), touch: &landing}, r)
	}
}

// mailEvent is one report about a message.
type mailEvent struct {
	*mail
	p     *person
	step  mailStep
	at    int64
	id    uint64 // seed of the event's id
	first bool   // first open
}

func (m *mail) campaignName() string {
	return "autumn-" + string(appendPadded(nil, m.campaign%10000, 4))
}

func (m *mail) subject() string {
	return "New in " + categories[m.campaign%int64(len(categories))].name
}

// link is where the message leads to.
func (m *mail) link(w *writer) {
	w.raw(shopURL)
	w.raw(categoryPaths[m.campaign%int64(len(categories))])
	w.raw(`?utm_source=newsletter&utm_medium=email&utm_campaign=`)
	w.raw(m.campaignName())
	w.raw(`&utm_content=hero`)
}

func (e *mailEvent) address(w *writer) { w.b = e.p.append(w.b, slotEmail) }

func (e *mailEvent) agent() string {
	if e.step == stepMachineOpen {
		return "Mozilla/5.0"
	}
	return agents[e.id%uint64(len(agents))]
}

func (e *mailEvent) ip(w *writer) {
	if e.step == stepMachineOpen {
		w.raw("198.51.100.7")
		return
	}
	w.raw("203.0.113.")
	w.int(int64(1 + e.p.seed%254))
}

// reportMail writes the event in the provider's format and sends it.
func (g *Generator) reportMail(e *mailEvent, r *rng) {
	w := &g.w
	w.b = w.b[:0]
	var name [60]byte
	id := name[:0]
	switch e.provider {
	case providerSendGrid:
		id = g.writeSendGrid(e, id)
	case providerMailgun:
		id = writeMailgun(w, e, id)
	case providerPostmark:
		id = writePostmark(w, e, id)
	case providerSNS:
		id = g.writeSNS(e, id)
	case providerSES:
		id = writeSES(w, e, id)
	case providerBrevo:
		id = writeBrevo(w, e, id)
	case providerSegment:
		id = writeSegmentMail(w, e, id)
	}
	set := setOf(slotEmail)
	if e.account {
		set |= setOf(slotUser)
	}
	g.happened(kindMail+kind(e.provider)*kind(mailSteps)+kind(e.step), hashString(id), e.p, set)
	if e.provider == providerSendGrid {
		return // the collector sends it
	}
	var key [60]byte
	g.post(parcel{topic: TopicEmail, key: e.p.append(key[:0], slotEmail), at: e.at + r.between(300, 4000), events: 1}, r)
}

// appendComposed appends the event id of formats that have none: message, step and time.
func (e *mailEvent) appendComposed(b []byte) []byte {
	b = append(appendUUID(b, e.mail.id), '/')
	b = append(append(b, mailStepNames[e.step][0]...), '/')
	return appendPadded(b, e.at, 13)
}
