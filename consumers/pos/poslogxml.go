package pos

import (
	"encoding/xml"
	"strings"

	"github.com/seamline/seamline/consumers/field"
)

// posPlace is how POSLog names a transaction, and another one that it links to. Version 6 has BusinessUnit, older ones RetailStoreID.
type posPlace struct {
	Units       []posUnit `xml:"BusinessUnit>UnitID"`
	Store       string    `xml:"RetailStoreID"`
	Workstation string    `xml:"WorkstationID"`
	Sequence    string    `xml:"SequenceNumber"`
	ID          string    `xml:"TransactionID"`
	Day         string    `xml:"BusinessDayDate"`
	Begin       []string  `xml:"BeginDateTime"`
	End         []string  `xml:"EndDateTime"`
}

type posUnit struct {
	Kind  string `xml:"TypeCode,attr"`
	Value string `xml:",chardata"`
}

// posTransaction is one transaction.
type posTransaction struct {
	posPlace
	Training      string    `xml:"TrainingModeFlag,attr"`
	Cancel        string    `xml:"CancelFlag,attr"`
	Stamps        []posUnit `xml:"POSLogDateTime"`
	Operator      string    `xml:"OperatorID"`
	Currency      string    `xml:"CurrencyCode"`
	ReceiptNumber string    `xml:"ReceiptNumber"`
	Retail        posRetail `xml:"RetailTransaction"`
	PostVoid      posRetail `xml:"PostVoidTransaction"`
}

// posRetail is what was sold and returned.
type posRetail struct {
	XMLName  xml.Name
	Status   string       `xml:"TransactionStatus,attr"`
	Void     string       `xml:"VoidFlag,attr"`
	Cancel   string       `xml:"CancelFlag,attr"`
	Lines    []posLine    `xml:"LineItem"`
	Totals   []posTotal   `xml:"Total"`
	Loyalty  []posLoyalty `xml:"LoyaltyAccount"`
	Customer posCustomer  `xml:"Customer"`
	Links    []posLink    `xml:"TransactionLink"`
}

type posLine struct {
	Void     string    `xml:"VoidFlag,attr"`
	Cancel   string    `xml:"CancelFlag,attr"`
	Delete   string    `xml:"DeleteFlag,attr"`
	Sequence string    `xml:"SequenceNumber"`
	Sale     posItem   `xml:"Sale"`
	Return   posItem   `xml:"Return"`
	Tender   posTender `xml:"Tender"`
}

// posItem is a sold or returned article.
type posItem struct {
	XMLName      xml.Name
	IDs          []posNamed `xml:"ItemID"`
	Groups       []posGroup `xml:"MerchandiseHierarchy"`
	Description  string     `xml:"Description"`
	Brand        string     `xml:"Brand"`
	POSIDs       []string   `xml:"POSIdentity>POSItemID"`
	Serials      []posNamed `xml:"SerialNumber"`
	Quantity     string     `xml:"Quantity"`
	RegularPrice string     `xml:"RegularSalesUnitPrice"`
	ActualPrice  string     `xml:"ActualSalesUnitPrice"`
	Amount       string     `xml:"ExtendedAmount"`
	Discount     string     `xml:"ExtendedDiscountAmount"`
	Links        []posLink  `xml:"TransactionLink"`
}

type posNamed struct {
	Name  string `xml:"Name,attr"`
	Kind  string `xml:"Type,attr"`
	Value string `xml:",chardata"`
}

type posGroup struct {
	Level string `xml:"Level,attr"`
	Value string `xml:",chardata"`
}

type posTender struct {
	XMLName xml.Name
	Kind    string    `xml:"TenderType,attr"`
	Amount  posAmount `xml:"Amount"`
	Card    posCard   `xml:"CreditDebit"`
}

type posAmount struct {
	Currency string `xml:"Currency,attr"`
	Value    string `xml:",chardata"`
}

type posCard struct {
	Kind   string `xml:"TypeCode,attr"`
	Type   string `xml:"CardType,attr"`
	Issuer string `xml:"IssuerIdentificationNumber"`
	Number string `xml:"PrimaryAccountNumber"`
}

type posTotal struct {
	Kind  string `xml:"TotalType,attr"`
	Value string `xml:",chardata"`
}

type posLoyalty struct {
	CustomerID string `xml:"CustomerID"`
	AccountID  string `xml:"LoyaltyAccountID"`
	CardNumber string `xml:"LoyaltyProgram>LoyaltyCardNumber"`
}

type posCustomer struct {
	ID           string `xml:"CustomerID"`
	Email        string `xml:"Email"`
	EMail        string `xml:"EMail"`
	AddressEmail string `xml:"eMail>EMailAddress"`
	Phone        string `xml:"TelephoneNumber"`
	Number       string `xml:"Telephone>FullTelephoneNumber"`
}

// posLink names another transaction.
type posLink struct {
	posPlace
	Reason string `xml:"ReasonCode,attr"`
}

// store gives the retail store among the units.
func (p *posPlace) store() string {
	for i := range p.Units {
		if localPart(p.Units[i].Kind) == "RetailStore" {
			return text(p.Units[i].Value)
		}
	}
	if len(p.Units) > 0 {
		return text(p.Units[0].Value)
	}
	return text(p.Store)
}

// id gives the transaction's id, or its store, workstation, business day and number between hyphens; empty where it has no number.
func (p *posPlace) id() string {
	if id := text(p.ID); id != "" {
		return id
	}
	sequence := text(p.Sequence)
	if sequence == "" {
		return ""
	}
	return strings.Join([]string{p.store(), text(p.Workstation), p.day(), sequence}, "-")
}

// day gives the business day, or the day on which the transaction began or ended.
func (p *posPlace) day() string {
	const dateLength = len("2006-01-02")
	day := text(p.Day)
	for _, times := range [...][]string{p.Begin, p.End} {
		if day == "" && len(times) > 0 {
			day = text(times[0])
		}
	}
	return day[:min(len(day), dateLength)]
}

// time gives the latest end, else the time of the transaction, else its beginning.
func (t *posTransaction) time() field.Time {
	var latest field.Time
	for _, end := range t.End {
		if at := field.TimeOf(end); at.Set && (!latest.Set || !at.Bad && at.Value > latest.Value) {
			latest = at
		}
	}
	if latest.Set {
		return latest
	}
	for i := range t.Stamps {
		if localPart(t.Stamps[i].Kind) == "Transaction" {
			return field.TimeOf(t.Stamps[i].Value)
		}
	}
	if len(t.Begin) > 0 {
		return field.TimeOf(t.Begin[0])
	}
	return field.Time{}
}

// linksVoid tells whether the transaction voids another.
func (r *posRetail) linksVoid() bool {
	for i := range r.Links {
		switch localPart(r.Links[i].Reason) {
		case "Void", "Voided", "PostVoid", "PostVoided":
			return true
		}
	}
	return false
}

// gone tells whether a line was voided, canceled or deleted before the end.
func (l *posLine) gone() bool { return yes(l.Void) || yes(l.Cancel) || yes(l.Delete) }

// sku gives the item id that is called SKU, else the first.
func (i *posItem) sku() string {
	for j := range i.IDs {
		if strings.EqualFold(localPart(i.IDs[j].Name), "SKU") {
			return text(i.IDs[j].Value)
		}
	}
	if len(i.IDs) > 0 {
		return text(i.IDs[0].Value)
	}
	return ""
}

// gtin gives the serial number that is called GTIN, else what was scanned.
func (i *posItem) gtin() string {
	for j := range i.Serials {
		if localPart(i.Serials[j].Kind) == "GTIN" {
			return text(i.Serials[j].Value)
		}
	}
	if len(i.POSIDs) > 0 {
		return text(i.POSIDs[0])
	}
	return ""
}

// category gives the group at the level Category, else the first.
func (i *posItem) category() string {
	for j := range i.Groups {
		if localPart(i.Groups[j].Level) == "Category" {
			return text(i.Groups[j].Value)
		}
	}
	if len(i.Groups) > 0 {
		return text(i.Groups[0].Value)
	}
	return ""
}

// brand gives the card's brand; a kind such as Credit is none.
func (c *posCard) brand() string {
	for _, word := range [...]string{localPart(c.Kind), localPart(c.Type)} {
		switch word {
		case "", "Credit", "Debit", "CreditDebit", "CreditCard", "DebitCard":
			continue
		}
		return word
	}
	return ""
}
