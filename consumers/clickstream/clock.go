package clickstream

import (
	"github.com/seamline/seamline/consumers/field"
	"github.com/seamline/seamline/schemas"
)

// eventTime gives the time at which the call's event happened, by the clocks that the call tells of. The first line that fits holds:
//
//	given                                          who says it                         event time
//	receivedAt, sentAt, originalTimestamp          a server that passed the call on    receivedAt - (sentAt - originalTimestamp)
//	timestamp, and originalTimestamp or receivedAt a server that corrected it already  timestamp
//	timestamp, sentAt                              the client alone                    record time - (sentAt - timestamp)
//	timestamp                                      the client, or a server             timestamp
//	originalTimestamp, sentAt                      the client alone                    record time - (sentAt - originalTimestamp)
//	originalTimestamp                              the client                          originalTimestamp
//	receivedAt                                     a server                            receivedAt
//	none, or sentAt alone                          nobody                              record time
//
// "Record time - ..." takes the time of the Kafka record for the time of receipt, since nobody else wrote one down. It applies only
// where the record has a time; without one, and where the setting correct-skew is off, the client's time stands. A result that cannot
// be is refused later, with the limits of the decode stage.
func (c *call) eventTime(record schemas.Time, correct bool) schemas.Time {
	client, original, sent, received := c.timestamp, c.original, c.sent, c.received
	switch {
	case correct && received.Set && sent.Set && original.Set:
		return received.Value - (sent.Value - original.Value)
	case client.Set && (original.Set || received.Set):
		return client.Value
	case client.Set:
		return skewed(client, sent, record, correct)
	case original.Set && !received.Set:
		return skewed(original, sent, record, correct)
	case original.Set:
		return original.Value
	case received.Set:
		return received.Value
	}
	return record
}

// skewed corrects a client's time by the record's time of receipt.
func skewed(client, sent field.Time, record schemas.Time, correct bool) schemas.Time {
	if !correct || !sent.Set || record == 0 {
		return client.Value
	}
	return record - (sent.Value - client.Value)
}

// badTime names a time field that is given but holds no time.
func (c *call) badTime() string {
	switch {
	case c.timestamp.Bad:
		return "timestamp"
	case c.original.Bad:
		return "originalTimestamp"
	case c.sent.Bad:
		return "sentAt"
	case c.received.Bad:
		return "receivedAt"
	}
	return ""
}
