package clickstream

import (
	"bytes"
	"strings"

	"github.com/seamline/seamline/consumers/field"
	"github.com/seamline/seamline/schemas"
)

// Kinds of producer.
const (
	sourceSegment     = "segment"
	sourceRudderStack = "rudderstack"
)

// source tells RudderStack from Segment: only RudderStack sends rudderId or mergeProperties, its libraries say so, and only it marks
// calls as being of the channels web and sources beside an originalTimestamp. All else is Segment, whose shape others copy.
func (c *call) source() string {
	switch {
	case c.rudder, c.kind == "merge":
		return sourceRudderStack
	case containsFold(c.context.library, "rudder"):
		return sourceRudderStack
	case c.original.Set && c.context.library == "" && (c.channel == "web" || c.channel == "mobile" || c.channel == "sources"):
		return sourceRudderStack
	}
	return sourceSegment
}

// surroundings gives the channel by, in this order: the event's own; a point of sale named in properties or context; the sender's
// channel; the library; the device; the operating system; a screen call. Otherwise it is the web, also for servers that say nothing.
func (c *call) surroundings(own schemas.Channel, sales string) schemas.Channel {
	switch {
	case own != schemas.ChannelUnknown:
		return own
	case pointOfSale(sales), pointOfSale(c.context.channel), pointOfSale(c.channel), pointOfSale(c.context.deviceType):
		return schemas.ChannelStore
	case strings.EqualFold(c.channel, "mobile"), strings.EqualFold(c.context.channel, "mobile"):
		return schemas.ChannelApp
	}
	if channel := libraryChannel(c.context.library); channel != schemas.ChannelUnknown {
		return channel
	}
	if mobileSystem(c.context.deviceType) || mobileSystem(c.context.system) || c.kind == "screen" {
		return schemas.ChannelApp
	}
	return schemas.ChannelWeb
}

// pointOfSale tells whether a word names the till.
func pointOfSale(word string) bool {
	if word == "" || len(word) > nameLengthMax {
		return false
	}
	var buffer [nameLengthMax]byte
	switch string(field.Fold(buffer[:0], word)) {
	case "pos", "pointofsale", "instore", "store", "retail", "retailstore", "offline", "till", "register", "brickandmortar":
		return true
	}
	return false
}

// appLibraryWords stand in the names of libraries for apps.
var appLibraryWords = [][]byte{[]byte("ios"), []byte("android"), []byte("reactnative"), []byte("flutter"), []byte("kotlin"), []byte("swift"),
	[]byte("xamarin"), []byte("unity")}

// libraryChannel tells by the name of the library that sent the call; servers' libraries tell nothing.
func libraryChannel(name string) schemas.Channel {
	if name == "" || len(name) > nameLengthMax {
		return schemas.ChannelUnknown
	}
	if name == "analytics.js" { // as most calls come
		return schemas.ChannelWeb
	}
	var buffer [nameLengthMax]byte
	folded := field.Fold(buffer[:0], name)
	switch string(folded) {
	case "analyticsjs", "analyticsnext", "segmentanalyticsnext", "rudderlabsjavascriptsdk", "rudderstackjavascriptsdk", "web":
		return schemas.ChannelWeb
	case "analyticsnode", "analyticspython", "analyticsruby", "analyticsgo", "analyticsphp", "analyticsjava", "analyticsnet":
		return schemas.ChannelUnknown
	}
	for _, word := range appLibraryWords {
		if bytes.Contains(folded, word) {
			return schemas.ChannelApp
		}
	}
	return schemas.ChannelUnknown
}

// mobileSystem tells whether a device type or operating system is one of phones, tablets and watches.
func mobileSystem(name string) bool {
	if name == "" || len(name) > nameLengthMax {
		return false
	}
	var buffer [nameLengthMax]byte
	switch string(field.Fold(buffer[:0], name)) {
	case "ios", "ipados", "iphoneos", "watchos", "tvos", "android", "wearos", "harmonyos":
		return true
	}
	return false
}

// containsFold tells whether s contains a lower-case word in any case.
func containsFold(s, word string) bool {
	for i := 0; i+len(word) <= len(s); i++ {
		if s[i]|0x20 == word[0] && strings.EqualFold(s[i:i+len(word)], word) {
			return true
		}
	}
	return false
}
