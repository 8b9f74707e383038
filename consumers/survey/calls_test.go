package survey

import (
	"github.com/seamline/seamline/consumers/clickstream"
	"github.com/seamline/seamline/schemas"
)

// calls gives the decoder of Segment calls as the program wires it, so that the golden files say what really comes of such records. Only
// tests may know it.
func calls() schemas.Decoder {
	config := clickstream.DefaultConfig()

	return clickstream.New(config)
}
