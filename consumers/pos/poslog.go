package pos

import (
	"bytes"
	"cmp"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/text/encoding/charmap"

	"github.com/seamline/seamline/consumers/field"
	"github.com/seamline/seamline/schemas"
)

// startsXML tells whether value is XML.
func startsXML(value []byte) bool {
	value = bytes.TrimLeft(value, " \t\r\n")
	return len(value) > 0 && value[0] == '<'
}

// errNoPOSLog is XML of another kind.
var errNoPOSLog = errors.New("the XML is no POSLog")

// poslog reads an ARTS POSLog, whose namespace differs between its publishers and does not matter here. Its transactions come out each by
// itself; but where the XML is broken, none of them does.
func (s *scratch) poslog(value []byte) {
	events, rejects, dropped := len(s.out.Events), len(s.out.Rejects), len(s.out.Dropped)
	n, err := s.poslogTransactions(value)
	switch {
	case errors.Is(err, errNoPOSLog):
		s.out.Reject(schemas.ReasonUnknownFormat, err.Error())
	case err != nil:
		for len(s.out.Events) > events {
			s.out.Discard()
		}
		s.out.Rejects, s.out.Dropped = s.out.Rejects[:rejects], s.out.Dropped[:dropped]
		s.out.Element = 0
		s.out.Reject(schemas.ReasonMalformed, "not XML, or XML in an unknown encoding")
	case n == 0:
		s.out.Drop(sourcePOSLog, schemas.DropNoEvent)
	}
}

// poslogTransactions reads the transactions of a POSLog one after the other, and tells how many there are.
func (s *scratch) poslogTransactions(value []byte) (n int, err error) {
	decoder := xml.NewDecoder(bytes.NewReader(value))
	decoder.CharsetReader = charsetReader
	inside := false
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			if !inside {
				return 0, errNoPOSLog
			}
			return n, nil
		}
		if err != nil {
			return n, fmt.Errorf("read XML: %w", err)
		}
		start, ok := token.(xml.StartElement)
		switch {
		case !ok:
		case !inside && start.Name.Local == "POSLog":
			inside = true
		case !inside:
			return 0, errNoPOSLog
		case start.Name.Local == "Transaction":
			var t posTransaction
			if err := decoder.DecodeElement(&t, &start); err != nil {
				return n, fmt.Errorf("read a transaction: %w", err)
			}
			s.out.Element = n
			n++
			s.poslogTransaction(&t)
		default:
			if err := decoder.Skip(); err != nil {
				return n, fmt.Errorf("skip %s: %w", start.Name.Local, err)
			}
		}
	}
}

// charsetReader reads the encodings of older tills.
func charsetReader(charset string, input io.Reader) (io.Reader, error) {
	switch strings.ToLower(charset) {
	case "iso-8859-1", "latin1", "windows-1252", "cp1252":
		return charmap.Windows1252.NewDecoder().Reader(input), nil
	case "iso-8859-15":
		return charmap.ISO8859_15.NewDecoder().Reader(input), nil
	case "us-ascii", "ascii":
		return input, nil
	}
	return nil, fmt.Errorf("encoding %q is not known", charset)
}

// poslogTransaction reads one transaction:
//
//	TrainingModeFlag                                  dropped
//	no RetailTransaction and no PostVoidTransaction   no event: the till was opened, counted or closed
//	CancelFlag, or status Voided, Canceled            a void of itself
//	status Suspended, Pending, InProcess, Failed      no event
//	PostVoidTransaction, or a link whose reason is a void   a void of the transaction that it links to
//	returns only, or a negative total                 a refund
//	anything else                                     an order
//
// Where there is no TransactionID, store, workstation, business day and number make one. Event ids are poslog:transaction:kind.
func (s *scratch) poslogTransaction(t *posTransaction) {
	p := &s.receipt
	p.begin(sourcePOSLog)
	retail := &t.Retail
	if retail.XMLName.Local == "" {
		retail = &t.PostVoid
	}
	status := localPart(retail.Status)
	switch {
	case yes(t.Training):
		s.out.Drop(sourcePOSLog, schemas.DropTraining)
		return
	case retail.XMLName.Local == "", status == "Suspended", status == "Pending", status == "InProcess", status == "Failed":
		s.out.Drop(sourcePOSLog, schemas.DropNoEvent)
		return
	}
	p.storeID, p.registerID, p.clerkID, p.number, p.status = t.store(), text(t.Workstation), text(t.Operator), text(t.ReceiptNumber), status
	if p.id = t.id(); p.id == "" {
		s.out.Reject(schemas.ReasonMissingField, "neither TransactionID nor SequenceNumber")
		return
	}
	p.currency = text(t.Currency)
	p.time = t.time()
	s.poslogLines(retail)
	p.poslogTotals(retail)
	p.kind = schemas.TypeOrder
	kind := "sale"
	voids := t.PostVoid.XMLName.Local != "" || retail.linksVoid()
	switch {
	case voids, yes(t.Cancel), yes(retail.Cancel), yes(retail.Void), status == "Voided", status == "PostVoided", status == "Canceled", status == "Cancelled":
		p.kind, kind = schemas.TypeVoid, "void"
		if !voids {
			p.originalID = ""
		}
	case p.returnsOnly(retail):
		p.kind, kind = schemas.TypeRefund, "refund"
	}
	p.poslogPeople(retail)
	p.eventID = s.joinID(sourcePOSLog, p.id, kind)
	s.finish()
}

// returnsOnly tells whether no line sells.
func (p *receipt) returnsOnly(retail *posRetail) bool {
	returns := 0
	for i := range retail.Lines {
		if l := &retail.Lines[i]; l.gone() {
			continue
		} else if l.Sale.XMLName.Local != "" {
			return false
		} else if l.Return.XMLName.Local != "" {
			returns++
		}
	}
	return returns > 0
}

// poslogLines reads sold and returned lines, tenders, and the link to the original.
func (s *scratch) poslogLines(retail *posRetail) {
	p := &s.receipt
	for i := range retail.Links {
		p.originalID = cmp.Or(p.originalID, retail.Links[i].id())
	}
	for i := range retail.Lines {
		l := &retail.Lines[i]
		switch {
		case l.gone():
		case l.Sale.XMLName.Local != "":
			p.poslogLine(s, l, &l.Sale, 1)
		case l.Return.XMLName.Local != "":
			for j := range l.Return.Links {
				p.originalID = cmp.Or(p.originalID, l.Return.Links[j].id())
			}
			p.poslogLine(s, l, &l.Return, -1)
		case l.Tender.XMLName.Local != "":
			p.poslogTender(&l.Tender)
		}
	}
}

func (p *receipt) poslogLine(s *scratch, outer *posLine, from *posItem, sign schemas.Decimal) {
	l := line{item: schemas.Item{LineID: text(outer.Sequence), SKU: from.sku(), Name: text(from.Description), Category: from.category(), Brand: text(from.Brand)}}
	l.gtin = from.gtin()
	l.quantity = p.xmlDecimal("Quantity", from.Quantity)
	l.price = p.xmlDecimal("ActualSalesUnitPrice", from.ActualPrice)
	if !l.price.Set {
		l.price = p.xmlDecimal("RegularSalesUnitPrice", from.RegularPrice)
	}
	l.discount = p.xmlDecimal("ExtendedDiscountAmount", from.Discount)
	l.total = p.xmlDecimal("ExtendedAmount", from.Amount)
	if !l.total.Set {
		// The actual price is free of the discount already.
		l.total = field.Decimal{Value: l.price.Value.Mul(l.quantity.Or(schemas.DecimalOne)), Set: true}
	}
	l.total.Value = sign * abs(l.total.Value)
	p.addLine(s, &l)
}

func (p *receipt) poslogTender(from *posTender) {
	t := tender{kind: localPart(from.Kind), brand: from.Card.brand(), bin: text(from.Card.Issuer), last4: lastFour(text(from.Card.Number))}
	t.amount = p.xmlDecimal("Amount", from.Amount.Value)
	p.currency = cmp.Or(p.currency, from.Amount.Currency)
	p.addTender(&t)
}

// poslogTotals reads the totals. Returns only have a positive grand amount in some logs and a negative one in others.
func (p *receipt) poslogTotals(retail *posRetail) {
	for i := range retail.Totals {
		value := p.xmlDecimal("Total", retail.Totals[i].Value)
		switch localPart(retail.Totals[i].Kind) {
		case "TransactionGrandAmount":
			p.total = value
		case "TransactionNetAmount":
			p.subtotal, p.net = value, true
		case "TransactionTaxAmount":
			p.tax = value
		case "DiscountAmount", "TransactionDiscountAmount":
			if value.Value != 0 {
				p.discount = value
			}
		}
	}
}

func (p *receipt) poslogPeople(retail *posRetail) {
	c := &p.customer
	for i := range retail.Loyalty {
		c.loyaltyID = cmp.Or(c.loyaltyID, text(retail.Loyalty[i].CustomerID), text(retail.Loyalty[i].AccountID), text(retail.Loyalty[i].CardNumber))
	}
	c.namespace, c.id = namespacePOSLogCustomer, text(retail.Customer.ID)
	c.email[0] = cmp.Or(text(retail.Customer.Email), text(retail.Customer.EMail), text(retail.Customer.AddressEmail))
	c.phone[0] = cmp.Or(text(retail.Customer.Phone), text(retail.Customer.Number))
}

// namespacePOSLogCustomer is the namespace of the customer ids of a POSLog.
const namespacePOSLogCustomer = "poslog_customer_id"

// xmlDecimal reads a number; what is none spoils the receipt.
func (p *receipt) xmlDecimal(name, value string) field.Decimal {
	d := field.DecimalOf(value)
	if d.Bad {
		p.spoil(name)
	}
	return d
}

// text takes white space off.
func text(s string) string { return strings.TrimSpace(s) }

// yes tells whether a flag is set.
func yes(flag string) bool { return field.BoolOf(text(flag)).Value }

// localPart takes the prefix off a value by which a publisher extends an enumeration, as in x:TTID1000CASH.
func localPart(s string) string {
	s = text(s)
	return s[strings.LastIndexByte(s, ':')+1:]
}
