package email

import (
	"strings"
	"unsafe"
)

// bytesOf gives s as bytes without copying; they must not be written.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// addressOf gives the address in "Name <address>" or in a bare address.
func addressOf(s string) string {
	s = strings.TrimSpace(s)
	if strings.HasSuffix(s, ">") {
		if open := strings.LastIndexByte(s, '<'); open >= 0 {
			s = s[open+1 : len(s)-1]
		}
	}
	return strings.TrimSpace(s)
}

// bareMessageID takes the angle brackets of a Message-ID header off.
func bareMessageID(s string) string {
	s = strings.TrimSpace(s)
	s = strings.TrimPrefix(s, "<")
	return strings.TrimSuffix(s, ">")
}

// addScrubbed adds a text written by machines for people, without the addresses that such texts quote.
func (s *scratch) addScrubbed(key, text string) {
	text = strings.TrimSpace(text)
	if strings.IndexByte(text, '@') >= 0 {
		s.text = appendScrubbed(s.text[:0], text)
		text = unsafe.String(unsafe.SliceData(s.text), len(s.text)) // copied before s.text is used again
	}
	s.properties.AddText(key, text)
}

// scrubbed stands for an address.
const scrubbed = "(address)"

// appendScrubbed appends text with each word that has an @ replaced.
func appendScrubbed(dst []byte, text string) []byte {
	for text != "" {
		at := strings.IndexByte(text, '@')
		if at < 0 {
			break
		}
		start := at
		for start > 0 && addressByte(text[start-1]) {
			start--
		}
		end := at + 1
		for end < len(text) && (addressByte(text[end]) || text[end] == '@') {
			end++
		}
		dst = append(append(dst, text[:start]...), scrubbed...)
		text = text[end:]
	}
	return append(dst, text...)
}

// addressByte tells whether an address may hold a byte without quotes.
func addressByte(c byte) bool {
	switch c {
	case '.', '-', '_', '+', '%', '\'', '!', '#', '$', '&', '*', '/', '=', '?', '^', '`', '{', '|', '}', '~':
		return true
	}
	return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' || c >= 0x80
}

// bareAgent tells whether a user agent is the one that Apple's mail privacy protection sends, which no browser has.
func bareAgent(agent string) bool { return agent == "Mozilla/5.0" }

// scannerWords are the beginnings of words in user agents of what opens mail and follows links without a person: security gateways,
// crawlers, previews and scripts. The image proxies of Gmail and Yahoo are not among them: they fetch when a person opens the message.
var scannerWords = []string{
	"barracuda", "bitdefender", "cloudmark", "fireeye", "forcepoint", "ironport", "kaspersky", "linkscan", "mailscanner", "messagelabs",
	"mimecast", "netcraft", "paloalto", "proofpoint", "sophos", "symantec", "trellix", "trendmicro", "urlscan", "virustotal", "zscaler",
	"applebot", "baiduspider", "bingbot", "bingpreview", "bot", "crawler", "discordbot", "duckduckbot", "facebookexternalhit", "googlebot",
	"linkedinbot", "slackbot", "spider", "telegrambot", "twitterbot", "yandexbot",
	"apache-httpclient", "curl/", "go-http-client", "headlesschrome", "java/", "libwww-perl", "phantomjs", "python-requests",
	"python-urllib", "wget/",
}

// scanners holds the words by their first letter.
var scanners = func() (table [26][]string) {
	for _, word := range scannerWords {
		table[word[0]-'a'] = append(table[word[0]-'a'], word)
	}
	return table
}()

// agentLengthMax bounds how much of a user agent is looked at.
const agentLengthMax = 1024

// scanner tells whether a user agent has one of the words of scannerWords.
func scanner(agent string) bool {
	agent = agent[:min(len(agent), agentLengthMax)]
	for i := 0; i < len(agent); i++ {
		letter := agent[i] | 0x20 - 'a'
		if letter >= 26 || i > 0 && agent[i-1]|0x20-'a' < 26 {
			continue
		}
		for _, word := range scanners[letter] {
			if len(agent)-i >= len(word) && strings.EqualFold(agent[i:i+len(word)], word) && wholeBot(agent[i+len(word):], word) {
				return true
			}
		}
	}
	return false
}

// wholeBot tells whether the bare word bot ends where it should, so that no brand that begins with it is taken for one.
func wholeBot(rest, word string) bool {
	return word != "bot" || rest == "" || rest[0]|0x20-'a' >= 26
}
