package schemas

// Fields is a set of groups of a profile's fields: what a moment may have changed, or what a rule reads. Whoever reads none of what
// changed need not look again.
type Fields uint32

// The groups.
const (
	FieldsSeen     Fields = 1 << iota // events, first and last seen, on all channels and each, and the last session
	FieldsSessions                    // how many sessions
	FieldsViews                       // products looked at
	FieldsSearches                    // searches
	FieldsCart                        // the open cart
	FieldsCheckout                    // the last step of a checkout
	FieldsOrders                      // orders, refunds and revenue, on all channels and each
	FieldsMessages                    // what happened to messages
	FieldsIdentity                    // identifiers
	FieldsStage                       // stage of the journey, and since when
	FieldsConsent                     // answers about consent
	FieldsCountry                     // country
	FieldsScores                      // what is computed of all the others and of the population, but for the next two
	FieldsBuying                      // scores that only orders and time change, such as churn, value, price sensitivity and points
	FieldsAnswers                     // scores that only answers to surveys change
	FieldsClock                       // nothing of the profile, but time passed
)

// FieldsScored has the groups that scoring computes: whoever reads one of them pays for all.
const FieldsScored = FieldsScores | FieldsBuying | FieldsAnswers

// FieldsAll has every group.
const FieldsAll Fields = FieldsClock<<1 - 1
