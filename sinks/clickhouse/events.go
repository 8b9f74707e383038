package clickhouse

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seamline/seamline/schemas"
)

// eventTable is the table events. Its rows are sent in the order of its key, and one block per month.
type eventTable struct {
	database string
	isJSON   bool

	order   []eventKey
	spare   []eventKey
	months  []*eventMonth // kept from batch to batch
	isKeyed bool          // see block.isKeyed
	isPlain bool          // see block.isPlain
	filled  []*block
}

// eventKey sorts an event without looking at it again.
type eventKey struct {
	time  schemas.Time
	index int
}

func (t *eventTable) name() string { return "events" }

func (t *eventTable) makePlain() { t.isPlain = true }

func (t *eventTable) fill(b *schemas.Batch) []*block {
	t.sort(b.Events)
	t.filled = t.filled[:0]
	var month *eventMonth
	for i, k := range t.order {
		if month == nil || k.time >= month.end {
			month = t.next(t.order[i:])
		}
		month.add(b.Events[k.index], b)
	}
	for _, m := range t.filled {
		m.isKeyed = t.isKeyed
		m.seal()
	}
	return t.filled
}

// sort orders the events as the table does, which spares the server a larger sort.
func (t *eventTable) sort(events []*schemas.Event) {
	t.order = reserved(t.order[:0], len(events))
	for i, e := range events {
		t.order = append(t.order, eventKey{e.Time, i})
	}
	t.spare = reserved(t.spare[:0], len(events))[:len(events)]
	t.order, t.spare = sortByTime(t.order, t.spare)
	t.isKeyed = true
	for from := 0; from < len(t.order); {
		to := from + 1
		for to < len(t.order) && t.order[to].time == t.order[from].time {
			to++
		}
		if to-from > 1 {
			t.sortEqual(t.order[from:to], events)
		}
		from = to
	}
}

// sortEqual orders events of the same time, and finds out where one is there twice.
func (t *eventTable) sortEqual(keys []eventKey, events []*schemas.Event) {
	slices.SortFunc(keys, func(a, b eventKey) int {
		x, y := events[a.index], events[b.index]
		if c := strings.Compare(x.Source, y.Source); c != 0 {
			return c
		}
		if c := strings.Compare(x.ID, y.ID); c != 0 {
			return c
		}
		return cmp.Compare(a.index, b.index)
	})
	for i := 1; i < len(keys); i++ {
		x, y := events[keys[i-1].index], events[keys[i].index]
		t.isKeyed = t.isKeyed && (x.ID != y.ID || x.Source != y.Source)
	}
}

// digitBits is how much of a time one pass of sortByTime sorts by.
const digitBits = 11

// sortByTime sorts digit by digit from the lowest, and gives the sorted keys and the other slice. Times of one batch are near
// each other, so that there are few digits.
func sortByTime(keys, spare []eventKey) (sorted, other []eventKey) {
	if slices.IsSortedFunc(keys, func(a, b eventKey) int { return cmp.Compare(a.time, b.time) }) {
		return keys, spare
	}
	first, last := keys[0].time, keys[0].time
	for _, k := range keys {
		first, last = min(first, k.time), max(last, k.time)
	}
	for shift := 0; uint64(last-first)>>shift > 0; shift += digitBits {
		var starts [1 << digitBits]int
		for _, k := range keys {
			starts[uint64(k.time-first)>>shift&(1<<digitBits-1)]++
		}
		next := 0
		for digit, count := range starts {
			starts[digit] = next
			next += count
		}
		for _, k := range keys {
			digit := uint64(k.time-first) >> shift & (1<<digitBits - 1)
			spare[starts[digit]] = k
			starts[digit]++
		}
		keys, spare = spare, keys
	}
	return keys, spare
}

// next gives an empty block for the month of the first of some events, which are in order.
func (t *eventTable) next(from []eventKey) *eventMonth {
	n := len(t.filled)
	if n == len(t.months) {
		t.months = append(t.months, newEventMonth(t.database, t.isJSON))
	}
	m := t.months[n]
	m.reset()
	m.isPlain = t.isPlain
	year, month, _ := from[0].time.Std().Date()
	m.end = schemas.TimeOf(time.Date(year, month+1, 1, 0, 0, 0, 0, time.UTC))
	m.partition = fmt.Sprintf("%04d%02d", year, int(month))
	m.where = "toYYYYMM(event_time) = " + m.partition
	rows, _ := slices.BinarySearchFunc(from, m.end, func(k eventKey, end schemas.Time) int { return cmp.Compare(k.time, end) })
	m.reserve(rows)
	t.filled = append(t.filled, &m.block)
	return m
}

// eventMonth is the block of one month.
type eventMonth struct {
	block
	end        schemas.Time // the first instant after it
	properties interface {
		column
		add(string)
	}
	empty string // what an event without properties has

	id, order, sku, pageURL, pagePath, referrer, message, link        texts
	at, received, processed, quantity, amount, revenue, dwell, offset fixed[int64]
	source, currency, store, variant, country, topic                  words
	campaignID, campaignSource, campaignMedium, campaignName          words
	channel, kind                                                     names
	profile                                                           uuids
	session, batch                                                    fixed[uint64]
	identifierIDs, leaf                                               fixed[uint64]
	identifiers                                                       array
	machine                                                           fixed[bool]
	partitionNumber                                                   fixed[int32]
	element                                                           fixed[uint32]
}

func newEventMonth(database string, isJSON bool) *eventMonth {
	m := &eventMonth{
		at: times(), received: times(), processed: times(), quantity: decimals(), amount: decimals(), revenue: decimals(),
		dwell: int64s(), offset: int64s(), channel: newNames(schemas.ChannelNames()), kind: newNames(schemas.TypeNames()),
		profile: ids(), session: uint64s(), batch: uint64s(), identifierIDs: uint64s(), leaf: uint64s(), machine: bools(), partitionNumber: int32s(),
		element: uint32s(), properties: &texts{},
	}
	if isJSON {
		m.properties, m.empty = &jsons{texts{kind: "JSON"}}, "{}"
	}
	m.identifiers.items = &m.identifierIDs
	m.block = newBlock(database, "events",
		named{"event_id", &m.id}, named{"event_time", &m.at}, named{"received_time", &m.received}, named{"processed_time", &m.processed},
		named{"source", &m.source}, named{"channel", &m.channel}, named{"type", &m.kind}, named{"profile_id", &m.profile},
		named{"session_id", &m.session}, named{"identifiers", &m.identifiers}, named{"leaf", &m.leaf}, named{"order_id", &m.order}, named{"sku", &m.sku},
		named{"quantity", &m.quantity}, named{"amount", &m.amount}, named{"revenue", &m.revenue}, named{"currency", &m.currency},
		named{"store_id", &m.store}, named{"page_url", &m.pageURL}, named{"page_path", &m.pagePath}, named{"referrer", &m.referrer},
		named{"campaign_id", &m.campaignID}, named{"campaign_source", &m.campaignSource}, named{"campaign_medium", &m.campaignMedium},
		named{"campaign_name", &m.campaignName}, named{"message_id", &m.message}, named{"link_url", &m.link},
		named{"variant", &m.variant}, named{"dwell_ms", &m.dwell}, named{"machine", &m.machine}, named{"country", &m.country},
		named{"properties", m.properties}, named{"kafka_topic", &m.topic}, named{"kafka_partition", &m.partitionNumber},
		named{"kafka_offset", &m.offset}, named{"element", &m.element}, named{"_batch", &m.batch})
	return m
}

func (m *eventMonth) add(e *schemas.Event, b *schemas.Batch) {
	m.id.add(e.ID)
	m.at.add(int64(e.Time))
	m.received.add(int64(e.Received))
	m.processed.add(int64(b.Now))
	m.source.add(e.Source)
	m.channel.add(uint8(e.Channel))
	m.kind.add(uint8(e.Type))
	m.profile.addID(e.ProfileID)
	m.session.add(e.SessionID)
	m.identifierIDs.rows = append(m.identifierIDs.rows, e.IdentifierIDs...)
	m.identifiers.end()
	m.leaf.add(uint64(e.Leaf))
	m.order.add(e.OrderID)
	m.sku.add(e.SKU)
	m.quantity.add(int64(e.Quantity))
	m.amount.add(int64(e.Amount))
	m.revenue.add(int64(e.Revenue))
	m.currency.add(e.Currency)
	m.store.add(e.StoreID)
	m.pageURL.add(e.PageURL)
	m.pagePath.add(e.PagePath)
	m.referrer.add(e.Referrer)
	m.campaignID.add(e.Campaign.ID)
	m.campaignSource.add(e.Campaign.Source)
	m.campaignMedium.add(e.Campaign.Medium)
	m.campaignName.add(e.Campaign.Name)
	m.message.add(e.MessageID)
	m.link.add(e.LinkURL)
	m.variant.add(e.Variant)
	m.dwell.add(e.DwellMillis)
	m.machine.add(e.Machine)
	m.country.add(e.Country)
	m.properties.add(cmp.Or(e.Properties, m.empty))
	m.topic.add(e.Record.Topic)
	m.partitionNumber.add(e.Record.Partition)
	m.offset.add(e.Record.Offset)
	m.element.add(uint32(e.Element))
	m.batch.add(b.Number)
}
