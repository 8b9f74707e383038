package schemas

// JourneyStage is how far a person has come with the retailer.
type JourneyStage uint8

// The stages, in the order in which a journey usually meets them.
const (
	JourneyStranger    JourneyStage = iota // seen, but never on an own channel
	JourneyVisitor                         // came to the site or app
	JourneyEngaged                         // came back, or looked at several products
	JourneyKnown                           // gave contact data or an account
	JourneyConsidering                     // has an open cart or checkout
	JourneyCustomer                        // bought once
	JourneyRepeat                          // bought more than once
	JourneyLoyal                           // bought often and lately
	JourneyAtRisk                          // bought, but not for long
	JourneyLapsed                          // bought, but not for very long
	journeyEnd
)

// JourneyCount is one more than the largest JourneyStage.
const JourneyCount = int(journeyEnd)

var journeyNames = [JourneyCount]string{"stranger", "visitor", "engaged", "known", "considering", "customer", "repeat", "loyal", "at_risk", "lapsed"}

// String gives the name that stands in ClickHouse and in audience rules.
func (s JourneyStage) String() string {
	if int(s) < len(journeyNames) {
		return journeyNames[s]
	}
	return ""
}

// ChannelTotals is what happened on one channel.
type ChannelTotals struct {
	Events    uint64
	FirstSeen Time
	LastSeen  Time
	Orders    int64   // sales less voids
	Revenue   Decimal // net of refunds and voids
}

// EmailTotals counts what happened to messages sent to the person.
type EmailTotals struct {
	Sent, Delivered, Opens, MachineOpens, Clicks, MachineClicks, Bounces, Unsubscribes, Complaints uint64
	LastOpen, LastClick                                                                            Time // by a person
}

// Profile is one person as of now: the fold of all leaves of a component of the identity graph. Score fills it for every
// profile that a batch touches.
type Profile struct {
	Index   uint32 // dense index within this installation; stable until merged away
	ID      ProfileID
	Merged  bool   // the profile was merged away: only Index and ID are filled, and the row becomes a tombstone
	Version uint64 // the batch that wrote it

	// Identity counts by namespace, for the namespaces that have a column.
	UserIDs, LoyaltyIDs, Emails, Phones, Cards, Devices, Anonymous uint32
	Identifiers                                                    uint32 // all of them

	FirstSeen Time
	LastSeen  Time
	Channels  [ChannelCount]ChannelTotals
	Events    uint64
	Country   string // ISO 3166 alpha-2 code, upper case, of the latest event that told one; empty for unknown

	Stage       JourneyStage
	StageSince  Time
	StageReason string // in words

	Sessions         uint32
	ProductViews     uint64
	Searches         uint64
	LastSessionID    uint64
	LastSessionStart Time
	CheckoutAt       Time // last step of a checkout

	Orders        int64 // sales less voids: frequency
	Refunds       int64
	PurchaseDays  uint32
	Revenue       Decimal // net, in Currency: monetary
	Currency      string  // of most orders; empty before the first
	OtherCurrency bool    // orders in other currencies exist and are not in Revenue
	FirstOrder    Time
	LastOrder     Time
	StoreOrders   int64
	OnlineOrders  int64

	CartSKUs     []string // open cart, sorted
	CartQuantity Decimal
	CartValue    Decimal
	CartUpdated  Time

	Email EmailTotals

	// Filled in moments, where somebody reads consent; rows have it in Scores.
	Consent   [PurposeCount]ConsentState
	ConsentAt Time

	Scores *Scores // nil where nobody reads them: in moments, but for rules that do

	State []byte // serialized leaves; enough to go on from
}

// StageChange is one step of a person's journey.
type StageChange struct {
	Profile   uint32
	ProfileID ProfileID
	Time      Time
	From, To  JourneyStage
	IsFirst   bool // From says nothing: the person is new
	Reason    string
}

// Audience is one row of audiences: how an audience is defined.
type Audience struct {
	Name        string
	Description string
	Rule        string // the condition
	MinSize     uint32 // smaller ones are not exported
	HoldoutOf   string // the audience whose held-out people it has; it is never exported then
	Active      bool   // it is defined; false where only its ledger is left
}

// Membership is one row of audience_members: whether a profile is in an audience now.
type Membership struct {
	Audience  string
	ProfileID ProfileID
	Member    bool
	Since     Time
	Until     Time // when it ended; 0 while it lasts
	Reason    string
}

// AudienceChange is one row of audience_changes: an entry or an exit.
type AudienceChange struct {
	Audience  string
	Sequence  uint64 // grows by one per audience, from 1
	ProfileID ProfileID
	Enter     bool
	Time      Time
	Reason    string
}
