package shoppers

import "strings"

var agents = [...]string{
	formPhone:  "Mozilla/5.0 (iPhone; CPU iPhone OS 19_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.2 Mobile/15E148 Safari/604.1",
	formLaptop: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/139.0.0.0 Safari/537.36",
	formTablet: "Mozilla/5.0 (Linux; Android 15; Pixel Tablet) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/139.0.0.0 Safari/537.36",
}

const botAgent = "Mozilla/5.0 (compatible; ExampleBot/2.1; +http://www.example.com/bot.html)"

// writeContext prepares the members of the context that the events of the session share.
func (s *session) writeContext(t *touch) {
	w := writer{s.context[:0]}
	w.raw(`"library":`)
	switch {
	case s.place == placeServer:
		w.raw(`{"name":"analytics-node","version":"2.2.0"}`)
	case s.rudder && s.device.app:
		w.raw(`{"name":"rudder-ios-library","version":"1.31.0"}`)
	case s.rudder:
		w.raw(`{"name":"RudderLabs JavaScript SDK","version":"3.16.2"}`)
	case s.device.app:
		w.raw(`{"name":"analytics-swift","version":"1.7.3"}`)
	default:
		w.raw(`{"name":"analytics.js","version":"next-1.81.0"}`)
	}
	if s.place == placeServer {
		s.context = w.b
		return
	}
	s.writeNetwork(&w)
	if s.device.app {
		s.writeApp(&w)
	} else {
		w.raw(`,"userAgent":"`)
		if s.place == placeBot {
			w.raw(botAgent)
		} else {
			w.raw(agents[s.device.form])
		}
		w.raw(`"`)
	}
	if t != nil {
		w.raw(`,"campaign":{"name":`)
		w.str(t.name)
		w.raw(`,"source":`)
		w.str(t.source)
		w.raw(`,"medium":`)
		w.str(t.medium)
		if t.content != "" {
			w.raw(`,"content":`)
			w.str(t.content)
		}
		w.raw(`}`)
	}
	s.context = w.b
}

// writeNetwork writes what depends on where the device is. Addresses are from the ranges kept for documentation.
func (s *session) writeNetwork(w *writer) {
	home := regions[regionUS]
	if s.p != nil {
		home = regions[s.p.region]
	}
	w.raw([3]string{`,"ip":"192.0.2.`, `,"ip":"198.51.100.`, `,"ip":"203.0.113.`}[s.device.seed%3])
	w.int(int64(1 + s.device.seed>>8%254))
	w.raw(`","locale":"`)
	w.raw(home.locale)
	w.raw(`","timezone":"`)
	w.raw(home.zone)
	w.raw(`"`)
}

func (s *session) writeApp(w *writer) {
	w.raw(`,"app":{"name":"Shop","version":"7.4.1","build":"741","namespace":"com.example.shop"},"device":{"id":"`)
	if s.zeroed {
		s.g.book.placeholders[[2]string{"device_id", zeroDevice}] = true
		w.raw(zeroDevice)
	} else {
		w.b = s.p.append(w.b, slotDevice+slot(s.number))
	}
	if s.device.form == formTablet {
		w.raw(`","manufacturer":"Google","model":"Pixel Tablet","name":"tangorpro","type":"android"},"os":{"name":"Android","version":"15"}`)
	} else {
		w.raw(`","manufacturer":"Apple","model":"iPhone17,3","name":"iPhone","type":"ios"},"os":{"name":"iOS","version":"19.2"}`)
	}
	w.raw(`,"screen":{"width":402,"height":874,"density":3},"network":{"cellular":false,"wifi":true}`)
}

// writePage writes the context with the page that the device shows.
func (s *session) writePage(w *writer) {
	w.raw(`,"context":{`)
	w.b = append(w.b, s.context...)
	if !s.device.app && s.place != placeServer {
		w.raw(`,"page":{`)
		s.pageMembers(w)
		w.raw(`}`)
	}
	w.raw(`},"integrations":{}`)
}

const shopURL = "https://shop.example.com"

func (s *session) pageMembers(w *writer) {
	w.raw(`"path":`)
	w.str(s.path)
	w.raw(`,"referrer":`)
	w.str(s.referrer)
	w.raw(`,"search":"","title":`)
	w.str(s.title)
	w.raw(`,"url":"` + shopURL)
	w.escaped(s.path)
	w.raw(`"`)
}

// visit moves to a page or screen and reports it.
func (s *session) visit(path, title string) {
	if s.path != "" && !s.device.app {
		s.referrer = shopURL + s.path
	}
	s.path, s.title = path, title
	if s.device.app {
		w := s.open(kindScreen, "screen", title)
		s.properties(w)
		w.raw(`"name":`)
		w.str(title)
		s.close(`}}`)
	} else {
		w := s.open(kindPage, "page", title)
		s.properties(w)
		w.raw(`"name":`)
		w.str(title)
		w.raw(`,`)
		s.pageMembers(w)
		s.close(`}}`)
	}
	s.pause(12)
}

var slugs = strings.NewReplacer(" & ", "-", " ", "-", `"`, "")

func slug(name string) string { return strings.ToLower(slugs.Replace(name)) }
