package model

// Engagement holds the weights of the score of e-mail engagement. What a machine opened weighs nothing, by construction. The form is the
// mean of a Beta posterior with weighted successes; the weights are settings, not estimates.
type Engagement struct {
	Responses, Silences float64 // of the prior: a0 responses in a0 + b0 messages
	Click, Open         float64 // weights of what a human did
	UnknownOpen         float64 // weight of an open that may be a machine's, where its bucket shows no machines
}

// DefaultEngagement is one response in ten messages to begin with; a click is a response, an open three tenths of one.
var DefaultEngagement = Engagement{Responses: 0.2, Silences: 1.8, Click: 1, Open: 0.3, UnknownOpen: 0.3}

// Mailed is what is known about somebody's e-mail, as counts that may be decayed; all with the same half-life.
type Mailed struct {
	Sends, HumanClicks, HumanOpens, UnknownOpens float64
	MachineShare                                 float64 // of opens in the recipient's bucket of domain and agent, 0..1
	Stopped                                      bool    // complained or unsubscribed
}

// Score is (a0 + click clicks + open opens + unknown (1 - MachineShare) unknown opens) / (a0 + b0 + sends), within 0..1; 0 for who stopped.
func (e Engagement) Score(m Mailed) float64 {
	below := e.Responses + e.Silences + m.Sends
	if m.Stopped || !(below > 0) {
		return 0
	}
	human := 1 - min(1, max(0, m.MachineShare))
	above := e.Responses + e.Click*m.HumanClicks + e.Open*m.HumanOpens + e.UnknownOpen*human*m.UnknownOpens
	return min(1, max(0, above/below))
}
