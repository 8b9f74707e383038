package field

import "github.com/seamline/seamline/schemas"

// channelLengthMax bounds the names of channels that are looked up.
const channelLengthMax = 32

// Channel gives the channel that a word names, and ChannelUnknown for any other word.
func Channel(word string) schemas.Channel {
	if len(word) > channelLengthMax {
		return schemas.ChannelUnknown
	}
	var buffer [channelLengthMax]byte
	switch string(Fold(buffer[:0], word)) {
	case "web", "website", "online", "browser":
		return schemas.ChannelWeb
	case "app", "mobile", "mobileapp":
		return schemas.ChannelApp
	case "store", "instore", "pos", "till", "kiosk", "retail":
		return schemas.ChannelStore
	case "email", "mail":
		return schemas.ChannelEmail
	case "sms", "text":
		return schemas.ChannelSMS
	case "whatsapp":
		return schemas.ChannelWhatsApp
	case "push":
		return schemas.ChannelPush
	case "social":
		return schemas.ChannelSocial
	case "call", "phone", "callcenter", "callcentre":
		return schemas.ChannelCall
	}
	return schemas.ChannelUnknown
}
